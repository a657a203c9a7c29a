#!/bin/bash
# SPDX-License-Identifier: MIT
# Brings a distribution's kernel into a folder, without installing it, and prints the path of its
# vmlinuz; exit 77 if it is not to be had on this machine.
# usage: kernel.sh FOLDER SERIES
#     5.15 Ubuntu 22.04 (the oldest that is promised), 6.1 Debian 12, 6.8 Ubuntu 24.04, 6.12 Debian 13,
#     6.12-rt the same with PREEMPT_RT
set -u
folder=$1 series=$2
mkdir -p "$folder/$series" && cd "$folder/$series" || exit 1

# The newest kernel of a release and flavour, by apt with lists of its own; the machine's stay as they are.
fetch_debian() { # RELEASE FLAVOUR
	local package
	local options=(-o Dir::Etc::sourcelist="$PWD/sources.list" -o Dir::Etc::sourceparts=/dev/null
		-o Dir::State::lists="$PWD/lists" -o Dir::Cache="$PWD/cache"
		-o Dir::State::status=/dev/null -o APT::Sandbox::User=root)
	mkdir -p lists/partial cache/archives/partial
	echo "deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]" \
		"http://deb.debian.org/debian $1 main" >sources.list
	apt-get "${options[@]}" -qq update >&2 || return 1
	package=$(apt-cache "${options[@]}" pkgnames "linux-image-${series%-*}." |
		grep -E -- "-$2-amd64\$" | sort -V | tail -n 1)
	[ -n "$package" ] && apt-get "${options[@]}" -qq download "$package" >&2
	local status=$?
	rm -rf lists cache
	return $status
}

# A release's first kernel, which stays in the archive; Debian does not have Ubuntu's signing keys,
# so the package's hash is here.
fetch_ubuntu() { # FILE SHA256
	/usr/lib/apt/apt-helper -o APT::Sandbox::User=root download-file \
		"http://archive.ubuntu.com/ubuntu/pool/main/l/linux-signed/$1" "$1" "SHA256:$2" >&2
}

fetch() {
	case $series in
	5.15)
		fetch_ubuntu linux-image-5.15.0-25-generic_5.15.0-25.25_amd64.deb \
			ad56f8c442a54d4f5ff2dff010d00321d53e32b543f3a92f3ba4e042d20a71da
		;;
	6.1) fetch_debian bookworm cloud ;;
	6.8)
		fetch_ubuntu linux-image-6.8.0-31-generic_6.8.0-31.31_amd64.deb \
			fd2ed023c84163e62c73d3b7b613a9b004bd31e335641c23d42bd249e489fbe6
		;;
	6.12) fetch_debian trixie cloud ;;
	6.12-rt) fetch_debian trixie rt ;;
	*) return 1 ;;
	esac
}

if ! ls boot/vmlinuz-* >/dev/null 2>&1; then
	fetch || {
		echo "no kernel $series to be had here" >&2
		exit 77
	}
	dpkg-deb --fsys-tarfile linux-image-*.deb | tar -xf - --wildcards './boot/vmlinuz-*' || exit 1
	rm -f linux-image-*.deb
fi
realpath boot/vmlinuz-*
