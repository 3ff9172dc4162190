# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# For sourcing: each criu in a root that tests/bed/root makes.

# find_criu sid|4.1.1|4.3: prints its path in the root. Fails if there is no such
# name.
find_criu() {
	case $1 in
	sid) echo /usr/sbin/criu ;;
	4.1.1 | 4.3) echo "/opt/criu-$1/criu" ;;
	*) return 1 ;;
	esac
}
