# SPDX-License-Identifier: BSD-2-Clause OR GPL-2.0-only
# shellcheck shell=dash
# A few events of each kind, in every format; golden.py compares what came with tests/golden.
# shellcheck source=tests/lanes/emulated/lib.sh
. /w/lib.sh

launch exceptions.txt exceptions
launch exceptions.csv exceptions -f csv
launch exceptions.json exceptions -f json
launch exits.txt exits --reason cpuid,msr,ioio,hlt
launch exits-by-vcpu.txt exits --by vcpu --reason cpuid
launch exits.csv exits -f csv --reason cpuid --by reason,vm,vcpu
launch exits.json exits -f json --reason cpuid --by reason
launch faults.txt faults --vm pages
launch faults.csv faults -f csv --vm pages
launch faults.json faults -f json --vm pages
launch faults-hist.txt faults --hist --vm pages
launch faults-hist.csv faults --hist -f csv --vm pages
all='exceptions.txt exceptions.csv exceptions.json exits.txt exits-by-vcpu.txt exits.csv exits.json
faults.txt faults.csv faults.json faults-hist.txt faults-hist.csv'
# shellcheck disable=SC2086 # a list of names
ready $all
guest msr g_msr -n 2 --name win11
guest ud g_ud -n 1 --name "$(printf 'bad\033[31m"name"')"
guest gpsel g_gpsel -n 1 --name selectors
guest cr g_cr -n 1 --name registers
guest pf g_pf -n 1 --name emulated
guest triple g_triple --name dying
guest cpuid g_cpuid -n 2000 --name busy
guest hlt g_hlt -n 3 --name idle
guest npf g_npf -n 2 --name pages
sleep 1
# shellcheck disable=SC2086
finish $all
: >/out/held.want
g_smp --vcpus 2 --hold 60 --name db-1 >>/out/held.want 2>/dev/null &
until grep -q '^done' /out/held.want; do usleep 20000; done
once vms.txt vms
once vms.csv vms -f csv
once vms.json vms -f json
