#!/usr/bin/env bash
# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# Usage: tools/lint.sh [CHECK]...
# Checks style and structure of the sources: all checks, or those named. "tools/deps.sh lint"
# installs what this needs. A check prints what is wrong, a line FILE:LINE: TEXT each.
set -eu
cd "$(dirname "$0")/.."
program=${BUILD:-build}/kvmtrace
page=user/man/kvmtrace.1
# The version that .clang-format is written for; others break lines elsewhere.
CLANG_FORMAT=14

# The files git has or would take, so that new ones count; without git all but what is built.
list_files()
{
	if git rev-parse --git-dir >/dev/null 2>&1; then
		git ls-files -z --cached --others --exclude-standard
	else
		find . -path ./build -prune -o -name .git -prune -o -type f -printf '%P\0'
	fi
}

is_shell()
{
	local first

	IFS= read -r first <"$1" && [[ $first == '#!'*sh ]]
}

# Sets texts, the sources among them, and of these c_files, bpf_files, layered and shells.
sort_files()
{
	local file shell

	texts=() sources=() c_files=() bpf_files=() layered=() shells=()
	while IFS= read -r -d '' file; do
		[ -f "$file" ] || continue # deleted, but not yet committed
		shell=
		if [[ $file == *.sh ]] || is_shell "$file"; then
			shell=1
			shells+=("$file")
		fi
		case $shell,$file in
		1,* | *.[ch] | *.def | *.py | *.awk | *.1 | *Makefile) sources+=("$file") ;;
		*.md | *.txt | ,.*) ;;
		*) continue ;; # the licence's wording, data of tests
		esac
		texts+=("$file")
		case $file in
		vmlinux/*) ;;
		bpf/*.[ch]) c_files+=("$file") bpf_files+=("$file") layered+=("$file") ;;
		user/*.[ch]) c_files+=("$file") layered+=("$file") ;;
		*.[ch]) c_files+=("$file") ;;
		esac
	done < <(list_files)
}

need()
{
	command -v "$1" >/dev/null || { echo "$1 is not here: tools/deps.sh lint"; return 1; }
}

structure()
{
	need python3 && python3 tools/lint.py "$@"
}

check_format()
{
	local version

	need clang-format || return
	version=$(clang-format --version | grep -oE '[0-9]+' | head -n 1)
	[ "$version" = $CLANG_FORMAT ] ||
		echo "(this is clang-format $version; the sources follow $CLANG_FORMAT)"
	clang-format --dry-run -Werror --ferror-limit=3 "${c_files[@]}" 2>&1 |
		sed -nE '/: (error|warning): /s/ \[-W.*//p'
	return "${PIPESTATUS[0]}"
}

check_spdx()
{
	structure spdx "${sources[@]}"
}

check_file_length()
{
	structure file_length "${sources[@]}"
}

check_function_length()
{
	structure function_length "${sources[@]}"
}

check_blanks()
{
	structure blanks "${texts[@]}"
}

check_unfinished()
{
	structure unfinished "${texts[@]}"
}

check_kernel_version()
{
	structure kernel_version "${layered[@]}"
}

check_include_directions()
{
	structure include_directions "${layered[@]}"
}

check_null_checks()
{
	structure null_checks "${bpf_files[@]}"
}

check_tp_returns()
{
	structure tp_returns "${bpf_files[@]}"
}

check_shellcheck()
{
	local file options status=0

	need shellcheck || return
	for file in "${shells[@]}"; do
		options=()
		# It does not know busybox, whose shell is an ash like dash.
		[[ $(head -n 1 "$file") != '#!'*busybox* ]] || options=(-s dash)
		shellcheck -x -P SCRIPTDIR -f gcc "${options[@]}" "$file" || status=1
	done
	return $status
}

check_codespell()
{
	codespell -L nd -- "${texts[@]}" # mdoc has a macro Nd
}

# help_options [COMMAND]: the options its --help lists, one a line.
help_options()
{
	timeout 10 "$program" "$@" --help | sed -nE 's/^ +(-.*)/\1/p' |
		sed -nE 's/^((-[A-Za-z])(, )?)?(--[a-z][a-z-]*)?.*/\2 \4/p' | tr ' ' '\n' | grep -e .
}

help_commands()
{
	timeout 10 "$program" --help | sed -nE '/^commands:/,/^$/s/^  ([a-z]+) .*/\1/p'
}

# The page without what roff wants: \- is a hyphen, \fB a font, and "Fl x" is mdoc for -x.
page_text()
{
	sed -E 's/\\-/-/g; s/\\f([A-Z]|\(..|\[[^]]*\])//g; s/\bFl Fl /--/g; s/\bFl (-?[A-Za-z])/-\1/g' \
		"$page"
}

has_word()
{
	grep -qE -- "(^|[^-A-Za-z0-9])$1([^-A-Za-z0-9]|\$)"
}

check_man_page()
{
	local text command option known='' status=0

	[ -x "$program" ] || { echo "$program is not built: run make first"; return 1; }
	[ -f "$page" ] || { echo "$page is missing"; return 1; }
	text=$(page_text)
	for command in $(help_commands); do
		has_word "$command" <<<"$text" ||
			{ echo "$page: lacks the command $command"; status=1; }
		for option in $(help_options "$command"); do
			known+="$option "
			has_word "$option" <<<"$text" ||
				{ echo "$page: lacks $option of kvmtrace $command"; status=1; }
		done
	done
	[ -n "$known" ] || { echo "$program --help lists no commands"; return 1; }
	while read -r option; do
		[[ " $known --version " == *" $option "* ]] ||
			{ echo "$page: has $option, which no command has"; status=1; }
	done < <(grep -oE -- '(^|[^-A-Za-z0-9])--[a-z][a-z-]+' <<<"$text" | sed 's/^[^-]//' | sort -u)
	return $status
}

checks=(format spdx file_length function_length blanks unfinished kernel_version
	include_directions null_checks tp_returns shellcheck man_page)
if command -v codespell >/dev/null; then
	checks+=(codespell)
fi
if [ $# -gt 0 ]; then
	checks=("$@")
fi
sort_files
failed=0
for check in "${checks[@]}"; do
	declare -F "check_$check" >/dev/null || { echo "lint: no check $check" >&2; exit 2; }
	if out=$("check_$check" 2>&1); then
		printf 'ok      %s\n' "$check"
	else
		printf 'FAILED  %s\n' "$check"
		printf '%s\n' "$out" | head -n 200
		failed=$((failed + 1))
	fi
done
printf 'lint: %d checks, %d failed\n' ${#checks[@]} $failed
[ $failed -eq 0 ]
