#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# Each line that the CRIU plugin can log is described in guardmaps-criu(7), and
# each line that is described there can be logged. Numbers and words, for which
# the page has capitals, are not compared.
#
# Prints TAP.
#
# Usage: messages.pl

use strict;
use warnings;
use File::Basename;

chdir dirname($0) . '/..' or die "chdir: $!\n";
my $page = 'man/guardmaps-criu.7.scd';
my $string = qr/"(?:[^"\\]|\\.)*"/;

sub read_file {
	my ($path) = @_;
	open my $file, '<', $path or die "$path: $!\n";
	local $/;
	return <$file>;
}

# Placeholders for numbers and words become asterisks on both sides.
sub normalize {
	my ($text) = @_;
	$text =~ s/\\"/"/g;
	$text =~ s/%(?:\.\*|\.\d)?(?:zu|d|s|f)/*/g;
	$text =~ s/\b(?:[A-Z]|WORD|PID|MARKER|REASON)\b/*/g;
	$text =~ s/\.\.\./*/g;
	$text =~ s/\s+/ /g;
	return $text;
}

# Joins adjacent strings, some of which are macros.
sub expand {
	my ($tokens, $macros) = @_;
	return join '', map {
		/^"/ ? substr($_, 1, -1) : expand($macros->{$_} // '', $macros)
	} $tokens =~ /$string|[A-Z_]+/g;
}

# The formats of lines, without the process at their beginning. The page has one
# entry for the advice that log_failure() adds to errors. It covers all lines
# that end with that advice.
sub logged_lines {
	my $source = join '', map { read_file($_) }
		glob('criu-plugin/*.[ch] src/libguardmaps/remote/charge.c');
	# Where a long line is broken does not matter.
	$source =~ s/\\\n//g;
	$source =~ s/\(\n\s+/(/g;
	$source =~ s/,\n\s+/, /g;
	my (%macros, %lines);
	my $tokens = qr/(?:$string|[A-Z_]+|\s)*/;

	$macros{$1} = $2 while $source =~ /^#define (\w+)\s+((?:$string|[A-Z_]+|[ \t])+)$/mg;
	my $advice = expand('ADVICE', \%macros);
	while ($source =~ /(?:log_(?:task_)?(?:info|warning|error)|syslog)\(
			(?:\w+,\s)?($string$tokens)/gx) {
		my $line = expand($1, \%macros);
		$line =~ s/^%d \(%s\): |^%d: |^%s: //;
		$line =~ s/^.*(; \Q$advice\E)$/...$1/;
		$lines{normalize($line)} = 1 if $line =~ /[a-z]{2}/;
	}
	while ($source =~ /log_failure\(\w+, ($tokens)\)/g) {
		my $added = expand($1, \%macros);
		$lines{normalize("...; $added")} = 1 if $added ne '';
	}
	return \%lines;
}

# The terms in the lists of the section LOG.
sub described_lines {
	my ($log) = read_file($page) =~ /^# LOG\n(.*?)^# /ms
		or die "$page: no section LOG\n";
	my %lines;

	$lines{normalize($1)} = 1 while $log =~ /\n\n_([^_\n](?:[^\n]|\n(?!\t))*?)_\n\t/g;
	return \%lines;
}

# Checks that all of these lines are among the others.
sub compare {
	my ($lines, $others, $name) = @_;
	my @missing = grep { !$others->{$_} } sort keys %$lines;

	print map { "# $_\n" } @missing;
	print @missing || !%$lines ? 'not ok' : 'ok', " - $name\n";
}

my $logged = logged_lines();
my $described = described_lines();
print '# ', scalar(keys %$logged), " lines\n";
compare($logged, $described, 'each line that the plugin logs is in guardmaps-criu(7)');
compare($described, $logged, 'each line in guardmaps-criu(7) is one that the plugin logs');
