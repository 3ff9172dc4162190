# SPDX-License-Identifier: LGPL-2.1-or-later
"""info guards and explain-fault for gdb: see guardmaps-gdb(7).

gdb loads this file when it starts. All that is known about guards and faults comes
from the command guardmaps. Names at the top level begin with "guardmaps", because
gdb runs this among the names of its user.
"""

import os
import re
import signal
import time

import gdb

# "make install" puts the path of the installed command here.
GUARDMAPS_COMMAND = "guardmaps"

# A wrong command might print without end.
GUARDMAPS_OUTPUT_LIMIT = 64 << 20


def guardmaps_fail(message):
    """End a command with a message, which gdb shows without a traceback."""
    raise gdb.GdbError("guardmaps: " + message)


def guardmaps_printable(text):
    """The text without control characters, which may come from a core file."""
    return "".join(
        c if c.isprintable() else "\\x%02x" % ord(c) for c in text)


def guardmaps_print(text, stream=gdb.STDOUT):
    """Print a line, in a locale that cannot print all of it, too."""
    try:
        gdb.write(text + "\n", stream)
    except UnicodeError:
        gdb.write(ascii(text)[1:-1] + "\n", stream)


def guardmaps_size(size):
    """A size as guardmaps prints it: 4K, 1.5M."""
    unit = 0
    while size >= 1024 and unit < 5:
        size /= 1024
        unit += 1
    return ("%.1f" % size).replace(".0", "") + "BKMGTP"[unit]


class GuardmapsProgram:
    """The command guardmaps, which never runs longer than it may."""

    def __init__(self):
        self.path = os.path.expanduser(gdb.parameter("guardmaps command"))
        self.limit = gdb.parameter("guardmaps timeout")

    def text(self, *arguments):
        """What it prints with these arguments. Fails if it does."""
        # Not before it is needed, because gdb waits for it.
        import subprocess
        try:
            process = subprocess.Popen(
                [self.path, *arguments], stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                start_new_session=True)
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or error
            guardmaps_fail("cannot run %s: %s (set guardmaps command)"
                           % (self.path, reason))
        try:
            output, errors = self.read_all(process)
            self.check_status(process, errors)
        finally:
            self.stop(process)
        return output

    def rows(self, name, *arguments):
        """What it prints with -J as the member with this name."""
        import json
        try:
            return json.loads(self.text(*arguments, "-J"))[name]
        except (ValueError, KeyError, TypeError, RecursionError):
            self.fail_unexpected()

    def lines(self, *arguments):
        """The lines that it prints: one or more."""
        return self.text(*arguments).splitlines() or self.fail_unexpected()

    def fail_unexpected(self):
        guardmaps_fail("%s does not print what guardmaps prints:"
                       " is it another program, or another version?" % self.path)

    def read_all(self, process):
        """Read standard output and errors to their ends."""
        import selectors
        deadline = self.limit and time.monotonic() + self.limit
        texts = {process.stdout: bytearray(), process.stderr: bytearray()}
        with selectors.DefaultSelector() as selector:
            for file in texts:
                selector.register(file, selectors.EVENT_READ)
            while selector.get_map():
                ready = selector.select(
                    deadline and max(0, deadline - time.monotonic()))
                if not ready:
                    self.fail_late()
                for key, _ in ready:
                    self.read_some(selector, key.fileobj, texts)
        self.await_end(process, deadline)
        return [text.decode(errors="replace") for text in texts.values()]

    def read_some(self, selector, file, texts):
        data = os.read(file.fileno(), 65536)
        if not data:
            selector.unregister(file)
        texts[file] += data
        if len(texts[file]) > GUARDMAPS_OUTPUT_LIMIT:
            guardmaps_fail("%s prints too much" % self.path)

    def await_end(self, process, deadline):
        import subprocess
        try:
            process.wait(deadline and max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.fail_late()

    def fail_late(self):
        guardmaps_fail("%s did not end within %d s (set guardmaps timeout)"
                       % (self.path, self.limit))

    def check_status(self, process, errors):
        status = process.returncode
        if status == 0:
            return
        if errors.strip():
            message = guardmaps_printable(errors.strip().splitlines()[0])
            # It names itself, too.
            message = re.sub("^guardmaps: ", "", message)
        elif status < 0:
            message = "%s was killed by signal %d" % (self.path, -status)
        else:
            message = "%s failed with status %d" % (self.path, status)
        guardmaps_fail(message)

    def stop(self, process):
        """Kill it with its children, unless it has ended."""
        import subprocess
        process.stdout.close()
        process.stderr.close()
        if process.returncode is not None:
            return
        os.killpg(process.pid, signal.SIGKILL)
        try:
            process.wait(1)
        except subprocess.TimeoutExpired:
            pass


class GuardmapsCore:
    """The core file of the selected inferior."""

    def __init__(self):
        self.program = GuardmapsProgram()
        self.path = self.find_path()
        self.image = gdb.parameter("guardmaps image")
        self.rows = self.program.rows(
            "threads", "stacks", *self.options(),
            "-o", "PID,TID,NAME,GUARD,GUARDSTART,GUARDSIZE")
        self.check_process()

    def find_path(self):
        corefile = getattr(gdb.selected_inferior(), "corefile", None)
        if corefile:
            path = corefile.filename
        else:
            # In older versions, such as 13, only this has it.
            found = re.search("^Local core dump file:\n\t`(.*?)', file type ",
                              gdb.execute("info files", to_string=True),
                              re.MULTILINE | re.DOTALL)
            path = found and found.group(1)
        if not path or not os.path.isabs(path):
            guardmaps_fail("gdb does not say where the core file is:"
                           " open it again by its absolute path")
        return path

    def options(self):
        options = ["--core", self.path]
        if self.image:
            options += ["--image", os.path.expanduser(self.image)]
        return options

    def threads(self):
        return self.rows

    def check_process(self):
        """gdb keeps a core file open that has been replaced since."""
        # 1 if it does not know.
        expected = gdb.selected_inferior().pid
        for thread in self.rows:
            if thread["pid"] and expected != 1 and thread["pid"] != expected:
                guardmaps_fail("%s is now a core file of process %d, not %d"
                               % (self.path, thread["pid"], expected))

    def explain(self):
        """The lines of "guardmaps explain --core"."""
        options = self.options()
        if gdb.current_progspace().filename:
            options += ["--exe", gdb.current_progspace().filename]
        return self.program.lines("explain", *options)

    def regions(self):
        """Guard regions in the image, if there is one."""
        if not self.image:
            return []
        return self.program.rows(
            "guards", "show", os.path.expanduser(self.image), "-o",
            "START,END,SIZE,KIND,OWNER,PERM,MAPPING")


class GuardmapsProcess:
    """The process of the selected inferior, and its selected thread."""

    def __init__(self):
        self.program = GuardmapsProgram()
        self.pid = str(gdb.selected_inferior().pid)
        # As in a container that still has the /proc of the machine.
        if os.readlink("/proc/self") != str(os.getpid()):
            guardmaps_fail("/proc belongs to another pid namespace,"
                           " in which the process has another id")

    def regions(self):
        return self.program.rows(
            "guards", "list", self.pid, "-o",
            "START,END,SIZE,KIND,OWNER,PERM,MAPPING")

    def threads(self):
        return self.program.rows(
            "threads", "stacks", self.pid, "-o",
            "TID,NAME,STACK,STACKEND,SIZE,SP,USED,GUARD,GUARDSTART,GUARDSIZE,NOTE")

    def explain(self):
        """The lines that explain the fault at which gdb has stopped."""
        number, code, address = self.find_fault()
        threads = self.threads()
        thread = self.find_thread(threads)
        start = "%s " % self.name_thread("Thread", thread)
        got = "%sgot %s" % (start, signal.Signals(number).name)
        entered = self.find_entered(threads, thread)
        if code <= 0:
            return [got + ", which a process sent. It did not access memory."]
        if code == 0x80:
            return [got + " for an address that is not known, which need not be 0."]
        lines = self.program.lines("explain", self.pid, hex(address))
        if entered:
            start += ("overflowed its stack, past the guard, into the stack of %s:"
                      " it had a frame that is larger than the guard."
                      % self.name_thread("thread", entered))
        elif self.is_overflow(lines, thread):
            start += self.overflow(thread, address)
        elif (number, code) == (signal.SIGBUS, 2):
            # BUS_ADRERR. Not all users may ask for the size of the file.
            start += ("accessed %#x, where there is no data: after the end of a"
                      " mapped file, or it could not be read." % address)
        else:
            start = "%s. %s" % (got, lines[0])
        return [start, *lines[1:], *self.stack(thread)]

    def find_fault(self):
        """The signal that the thread has stopped for, its code and address."""
        try:
            siginfo = gdb.convenience_variable("_siginfo")
            number = int(siginfo["si_signo"])
            code = int(siginfo["si_code"])
            address = int(siginfo["_sifields"]["_sigfault"]["si_addr"])
        except (gdb.error, TypeError):
            number = 0
        if number not in (signal.SIGSEGV, signal.SIGBUS):
            guardmaps_fail("the thread has not stopped on SIGSEGV or SIGBUS")
        return number, code, address & (1 << 64) - 1

    def find_thread(self, threads):
        tid = gdb.selected_thread().ptid[1]
        for thread in threads:
            if thread["tid"] == tid:
                return thread
        guardmaps_fail("thread %d has ended" % tid)

    def find_entered(self, threads, thread):
        """The thread whose stack this one has entered past its own guard."""
        if not thread["stack"] or not thread["sp"]:
            return None
        pointer = int(thread["sp"], 16)
        if pointer >= int(thread["stack"], 16):
            return None
        for other in threads:
            if (other is not thread and other["stack"] and
                    int(other["stack"], 16) <= pointer < int(other["stackend"], 16)):
                return other
        return None

    def is_overflow(self, lines, thread):
        """Whether it is the thread's own guard, or the limit of its stack."""
        # OWNER, a column with -J, does not have the limit.
        own = r"  owner .*[ (]%d\)?: (an access from above|its stack cannot grow)"
        return any(re.match(own % thread["tid"], line) for line in lines)

    def overflow(self, thread, address):
        if thread["guard"] == "gap":
            return ("overflowed its stack: it has reached its limit (RLIMIT_STACK),"
                    " and cannot grow to %#x." % address)
        return ("overflowed its stack: it accessed the guard of its stack at %#x."
                % address)

    def stack(self, thread):
        if not thread["stack"]:
            return []
        words = ["  stack    %s-%s" % (thread["stack"], thread["stackend"]),
                 guardmaps_size(thread["size"])]
        if thread["used"] is not None:
            words.append(guardmaps_size(thread["used"]) + " used")
        words.append("guard " + thread["guard"])
        if thread["note"]:
            words.append(thread["note"])
        return [", ".join(words)]

    def name_thread(self, word, thread):
        if not thread["name"]:
            return "%s %d" % (word, thread["tid"])
        return "%s %s (%d)" % (word, guardmaps_printable(thread["name"]),
                               thread["tid"])


def guardmaps_subject():
    """What is to be asked about: a GuardmapsProcess or a GuardmapsCore."""
    inferior = gdb.selected_inferior()
    if not inferior.pid:
        guardmaps_fail("there is no process, and no core file")
    kind = inferior.connection.type
    if kind == "core":
        return GuardmapsCore()
    if kind == "native":
        return GuardmapsProcess()
    guardmaps_fail("cannot see a process on a target of type %s:"
                   " run guardmaps where the process is" % kind)


class GuardmapsCommand(gdb.Command):
    """A command without arguments that never shows a traceback."""

    def invoke(self, argument, _from_tty):
        try:
            if argument:
                guardmaps_fail("this command does not support arguments")
            self.run()
        except gdb.error as error:
            guardmaps_fail(str(error))
        except gdb.GdbError:
            raise
        except Exception as error:
            guardmaps_fail("unexpected %s: %s" % (type(error).__name__, error))


class GuardmapsInfo(GuardmapsCommand):
    """List the guard regions of the process, or of the core file.

Usage: info guards

Guards of thread stacks are listed whether they are markers or PROT_NONE. A core
file does not record other guard regions: "set guardmaps image" gives them. See
guardmaps-gdb(7)."""

    columns = ("start", "end", "size", "kind", "guard", "owner", "perm", "mapping")

    def __init__(self):
        super().__init__("info guards", gdb.COMMAND_STATUS)

    def run(self):
        subject = guardmaps_subject()
        rows = [dict(row, guard="marker") for row in subject.regions()]
        known = {row["start"] for row in rows}
        rows += [self.guard_of(thread) for thread in subject.threads()
                 if thread["guardstart"] and thread["guardstart"] not in known]
        if rows:
            rows.sort(key=lambda row: int(row["start"], 16))
            self.print_table(rows)
        else:
            guardmaps_print("No guards.")
        if isinstance(subject, GuardmapsCore) and not subject.image:
            guardmaps_print("A core file has the guards of thread stacks only:"
                            " for others, set guardmaps image FILE.")

    def guard_of(self, thread):
        start = int(thread["guardstart"], 16)
        owner = "%d" % thread["tid"]
        if thread["name"]:
            owner = "%s (%s)" % (thread["name"], owner)
        return {"start": thread["guardstart"], "size": thread["guardsize"],
                "end": hex(start + thread["guardsize"]), "kind": "stack",
                "guard": thread["guard"], "owner": owner}

    def print_table(self, rows):
        table = [[name.upper() for name in self.columns]]
        for row in rows:
            row["size"] = guardmaps_size(row["size"])
            table.append([guardmaps_printable(row.get(name) or "")
                          for name in self.columns])
        widths = [max(map(len, column)) for column in zip(*table)]
        for cells in table:
            cells = [cell.rjust(width) if name == "size" else cell.ljust(width)
                     for name, cell, width in zip(self.columns, cells, widths)]
            guardmaps_print(" ".join(cells).rstrip())


class GuardmapsFault(GuardmapsCommand):
    """Explain why the thread has got SIGSEGV or SIGBUS, or why the process crashed.

Usage: explain-fault

In a core file, this explains the signal that ended the process. See
guardmaps-gdb(7)."""

    def __init__(self):
        super().__init__("explain-fault", gdb.COMMAND_STATUS)

    def run(self):
        for line in guardmaps_subject().explain():
            guardmaps_print(line)


class GuardmapsAutomatic:
    """The line that is printed unasked. If it cannot be, that is said once."""

    def __init__(self):
        # Numbers of connections: each core file that is opened has another.
        self.seen = set()
        gdb.events.stop.connect(self.on_stop)
        gdb.events.before_prompt.connect(self.on_prompt)

    def on_stop(self, event):
        if (isinstance(event, gdb.SignalEvent) and
                event.stop_signal in ("SIGSEGV", "SIGBUS")):
            self.explain("native")

    def on_prompt(self):
        connection = gdb.selected_inferior().connection
        if connection and connection.num not in self.seen:
            self.seen.add(connection.num)
            self.explain("core")

    def explain(self, kind):
        if not gdb.parameter("guardmaps auto"):
            return
        try:
            if gdb.selected_inferior().connection.type == kind:
                guardmaps_print("guardmaps: " + guardmaps_subject().explain()[0])
        except KeyboardInterrupt:
            pass
        except Exception as error:
            self.give_up(error)

    def give_up(self, error):
        text = re.sub("^guardmaps: ", "", str(error))
        guardmaps_print("guardmaps: %s\nguardmaps: faults are no longer explained"
                        " (set guardmaps auto on)" % text, gdb.STDERR)
        gdb.execute("set guardmaps auto off")


class GuardmapsPrefix(gdb.Command):
    """Settings of "info guards" and "explain-fault"."""

    def __init__(self, name):
        super().__init__(name, gdb.COMMAND_STATUS, gdb.COMPLETE_NONE, True)


class GuardmapsSetting(gdb.Parameter):
    """See guardmaps-gdb(7)."""

    def __init__(self, name, kind, what, value):
        self.set_doc = "Set " + what
        self.show_doc = "Show " + what
        super().__init__("guardmaps " + name, gdb.COMMAND_STATUS, kind)
        self.value = value


def guardmaps_load():
    GuardmapsPrefix("set guardmaps")
    GuardmapsPrefix("show guardmaps")
    GuardmapsSetting("command", gdb.PARAM_FILENAME,
                     "the path of the command guardmaps.", GUARDMAPS_COMMAND)
    GuardmapsSetting("image", gdb.PARAM_OPTIONAL_FILENAME,
                     "the image (guardmaps save) of the process in a core file.", "")
    GuardmapsSetting("timeout", gdb.PARAM_UINTEGER,
                     "how many seconds to wait for guardmaps.", 10)
    GuardmapsSetting("auto", gdb.PARAM_BOOLEAN,
                     "whether faults are explained in a line, unasked.", True)
    GuardmapsInfo()
    GuardmapsFault()
    GuardmapsAutomatic()


try:
    guardmaps_load()
except Exception as guardmaps_error:
    gdb.write("guardmaps cannot be used in this gdb: %s\n" % guardmaps_error,
              gdb.STDERR)
