# SPDX-License-Identifier: LGPL-2.1-or-later
# shellcheck shell=sh
#
# For sourcing: Debian's archive, through an apt with a configuration, lists and
# cache of its own. Of the machine's apt it takes the mirror, and how to reach it
# (proxies and the like); it changes nothing there, and needs no root. All that
# it reads is checked with Debian's keyring, whatever the machine allows.
#
# To be read: $apt_keyring, that keyring; and, from apt_configure on,
# $apt_mirror, the address of the mirror. Other variables of these functions
# begin with apt_ too.
#
# Each function says on standard error what failed. One that "dies" ends the
# script with status 1. What is made with this file may change with it: it
# belongs in the hash that names the result in a cache.

apt_keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# say MESSAGE...
say() {
	echo "$0: $*" >&2
}

# die MESSAGE...
die() {
	say "$@"
	exit 1
}

# apt_check_needs TOOL...: dies if one of them, or what this file needs, is
# missing.
apt_check_needs() {
	for apt_tool in apt-get apt-cache gpgv "$@"; do
		command -v "$apt_tool" >/dev/null ||
			die "needs $apt_tool (see scripts/install-packages)"
	done
	[ -r "$apt_keyring" ] ||
		die "needs $apt_keyring (package debian-archive-keyring)"
}

# The machine's own. The label tells Debian's archive from its security archive
# and from those of other makers.
apt_find_mirror() {
	# shellcheck disable=SC2016 # apt fills these in
	apt-get indextargets --format '$(LABEL)|$(REPO_URI)' \
		'Created-By: Packages' | sed -n 's/^Debian|//p' | head -n 1
}

# apt_configure FOLDER ARCHITECTURE SUITE...: what apt_get and apt_cache are to
# read, with all of apt's files in FOLDER. It is made where it is not there, and
# may be kept: lists that are in it stay. FOLDER/sources.list says what lists
# are wanted. Dies if the machine knows no mirror of Debian.
#
# apt reads this after the machine's configuration. Hooks are cleared, for they
# are about the machine's lists; so is the default release, which need not be
# one of the suites. apt's sandbox user may not look into a home.
apt_configure() {
	apt_folder=$1
	apt_architecture=$2
	shift 2
	apt_suites=$*
	apt_mirror=$(apt_find_mirror)
	[ -n "$apt_mirror" ] || die "cannot find a mirror of Debian:" \
		"apt-get indextargets lists none (none in /etc/apt/sources.list*," \
		"or apt-get update was never run)"
	mkdir -p "$apt_folder/lists/partial" "$apt_folder/cache/archives/partial"
	: >"$apt_folder/status"
	for apt_suite; do
		echo "deb [signed-by=$apt_keyring arch=$apt_architecture]" \
			"$apt_mirror $apt_suite main"
	done >"$apt_folder/sources.list"
	cat >"$apt_folder/apt.conf" <<-END
		APT::Architecture "$apt_architecture";
		#clear APT::Architectures;
		APT::Architectures:: "$apt_architecture";
		#clear APT::Default-Release;
		Dir::Etc::sourcelist "$apt_folder/sources.list";
		Dir::Etc::sourceparts "/dev/null";
		Dir::Etc::preferences "/dev/null";
		Dir::Etc::preferencesparts "/dev/null";
		Dir::State "$apt_folder";
		Dir::State::lists "$apt_folder/lists";
		Dir::State::status "$apt_folder/status";
		Dir::Cache "$apt_folder/cache";
		Acquire::Languages "none";
		Acquire::AllowInsecureRepositories "false";
		Acquire::AllowWeakRepositories "false";
		Acquire::AllowDowngradeToInsecureRepositories "false";
		APT::Get::AllowUnauthenticated "false";
		APT::Sandbox::User "root";
		APT::Update::Error-Mode "any";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	END
}

# apt_get ARGUMENT..., apt_cache ARGUMENT...: these tools, as configured. They
# say only what goes wrong, and ask nothing.
apt_get() {
	apt-get -c "$apt_folder/apt.conf" -qq "$@" </dev/null
}

apt_cache() {
	apt-cache -c "$apt_folder/apt.conf" -qq "$@" </dev/null
}

# Asks the mirror for the lists. Fails if not all can be had, even for a moment;
# the others are there then, and those that were there before.
apt_update() {
	apt_get update >&2 || {
		say "cannot read all the lists of $apt_mirror" \
			"($apt_architecture; $apt_suites)"
		return 1
	}
}

# apt_download FOLDER PACKAGE...: into FOLDER, which is made where it is not
# there. A package is NAME, NAME=VERSION or NAME/SUITE. Dies if one of them
# cannot be had.
apt_download() {
	apt_into=$1
	shift
	(mkdir -p "$apt_into" && cd "$apt_into" && apt_get download "$@") >&2 ||
		die "cannot download from $apt_mirror: $*"
}
