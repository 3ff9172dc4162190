#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
#
# arguments.pl GUARDMAPS SECONDS [SEED]
#
# Run the command with random arguments. Whatever they are, it ends in time with
# a status from 0 to 3, and what it says on standard error is text: one line for
# each failure, and a hint.
use strict;
use warnings;

use Cwd qw(abs_path);
use File::Temp qw(tempdir);
use POSIX qw(dup2 WNOHANG);
use Time::HiRes qw(time);

@ARGV == 2 || @ARGV == 3 or die "Usage: $0 GUARDMAPS SECONDS [SEED]\n";
my $command = abs_path($ARGV[0]) or die "$ARGV[0]: $!\n";
my $end = time + $ARGV[1];
my $seed = $ARGV[2] // int(rand(1 << 31));
srand($seed);

# Nothing is written elsewhere: no argument names a file with a slash.
chdir tempdir(CLEANUP => 1) or die;
my $target = fork // die;
if (!$target) {
	sleep 1000;
	POSIX::_exit(0);
}
$SIG{INT} = $SIG{TERM} = sub { exit 2 };
END { kill 'KILL', $target if $target; }
mkdir "tree";
mkdir "tree$_" for "/proc", "/proc/7";
write_file("tree/proc/7/maps", "10000-20000 rw-p 00000000 00:00 0 \n");
write_file("tree/proc/7/guards", "10000-11000 ---p 00000000 00:00 0 \n");
system $command, '--sysroot', 'tree', 'save', '7', 'image';

my @verbs = qw(list all maps stacks explain save show diff install check);
my @words = (
	@verbs, $target, $target, 7, 0, -1, '4294967296', '99999999999999999999',
	'/[?]/', '/(/', 'image', 'image', 'new', 'missing', '-', '--', '', '0x10000', 'ffffffffffffffff',
	qw(-a -b -J -n -r -P -h -V --all --json --raw --pairs --bytes --help --version
		--dry-run --markers --noheadings --sysroot=tree --source=auto --source=scan
		--source=guards --source=pagemap --source=markers --source= --source=x
		--unguarded --below=10% --below=1G --below --output-all --sort=SIZE --sort=START:desc --sort=: --image-limit=1M --image-limit=1 --image-limit=x -o --output --sysroot
		--source --image-limit + ++ NAME --s --so --j),
	'START,END', '+PID', 'PID,PID', ',', '-o' . join(',', ('PID') x 70), '-JrP',
);

sub write_file {
	my ($name, $text) = @_;
	open my $file, '>', $name or die "$name: $!\n";
	print $file $text;
	close $file;
}

sub random_word {
	return $words[rand @words] if rand() < 0.85;
	my $word = join '', map { chr(1 + int rand 255) } 1 .. rand 12;
	$word =~ tr{/}{}d;
	return $word;
}

# Returns the status, as of wait(), or -1 if it did not end in time.
sub run_command {
	my $pid = fork // die;
	if (!$pid) {
		open STDIN, '<', '/dev/null';
		open STDOUT, '>', 'output';
		open STDERR, '>', 'errors';
		exec { $command } 'guardmaps', @_ or POSIX::_exit(99);
	}
	local $SIG{ALRM} = sub { kill 'KILL', $pid };
	alarm 60;
	waitpid $pid, 0;
	my $status = $?;
	return alarm(0) ? $status : -1;
}

sub fault {
	my ($status) = @_;
	return "did not end" if $status == -1;
	return "ended by signal " . ($status & 127) if $status & 127;
	return "ended with status " . ($status >> 8) if $status >> 8 > 3;
	open my $file, '<', 'errors' or die;
	my $errors = do { local $/; <$file> } // '';
	close $file;
	# getopt() repeats what the user typed.
	return if $errors =~ /^guardmaps: (invalid option|unrecognized|option) /;
	return "failed and said nothing" if $status >> 8 >= 2 && $errors eq '';
	return "printed control characters" if $errors =~ /[^\n\x20-\x7e]/;
	return;
}

$ENV{LC_ALL} = 'C';
my $runs = 0;
while (time < $end) {
	my @arguments = map { random_word() } 0 .. rand 6;
	my $fault = fault(run_command(@arguments));
	$runs++;
	next unless $fault;
	print "does not hold: guardmaps ",
		join(' ', map { s/[^\x21-\x7e]/sprintf '\\x%02x', ord $&/ger } @arguments),
		": $fault (seed $seed)\n";
	exit 1;
}
print "$runs runs\n";
