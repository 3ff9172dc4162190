// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Core files of either architecture, in any order, cut off anywhere, and made by
 * a stranger. What a crash was is read from them, or they are refused.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zstd.h>

#include "basics.h"
#include "check.h"
#include "core_file.h"
#include "cores.h"
#include "files.h"
#include "guard_map.h"
#include "guard_maps.h"
#include "needs.h"

enum {
	PAGE = 4096,
	PID = 1000,
	WORKER = 1001,
	OTHER = 1002
};

#define PROGRAM UINT64_C(0x400000)
#define HEAP UINT64_C(0x500000)
#define BLOCKS UINT64_C(0x7f0000000000)
#define BLOCK_SIZE UINT64_C(0x10000)
#define MAIN_STACK UINT64_C(0x7ffc00000000)
#define VSYSCALL UINT64_C(0xffffffffff600000)

/* Offset of the thread descriptor in its block. */
#define DESCRIPTOR UINT64_C(0xf000)

/* Two blocks with stacks, one after the other, each with a guard of one page. */
static uint64_t blocks[2 * BLOCK_SIZE / 8];

static const struct core_file_line files[] = {
	{ PROGRAM, PROGRAM + PAGE, 0, "/bin/program" },
};

static const struct core_part parts[] = {
	{ PROGRAM, PROGRAM + PAGE, PF_R | PF_X, NULL, 0 },
	{ HEAP, HEAP + 4 * PAGE, PF_R | PF_W, NULL, 0 },
	{ BLOCKS, BLOCKS + 2 * BLOCK_SIZE, PF_R | PF_W, blocks,
	  sizeof(blocks) },
	{ MAIN_STACK, MAIN_STACK + 2 * PAGE, PF_R | PF_W, NULL, 0 },
	{ VSYSCALL, VSYSCALL + PAGE, PF_X, NULL, 0 },
};

/* The guard of the stack in block @i is its first page. */
static uint64_t guard(size_t i)
{
	return BLOCKS + i * BLOCK_SIZE;
}

/* Where a thread pointer points to, in relation to the descriptor. */
static uint64_t thread_pointer(uint16_t machine, size_t i)
{
	uint64_t descriptor = guard(i) + DESCRIPTOR;

	return machine == EM_X86_64 ? descriptor : descriptor + 2048;
}

static void fill_blocks(void)
{
	memset(blocks, 0, sizeof(blocks));
	for (size_t i = 0; i < 2; i++) {
		uint64_t *descriptor =
			blocks + (i * BLOCK_SIZE + DESCRIPTOR) / 8;
		descriptor[0] = descriptor[2] = guard(i) + DESCRIPTOR;
		descriptor[210] = guard(i);
		descriptor[211] = BLOCK_SIZE;
		descriptor[212] = descriptor[213] = PAGE;
	}
}

struct scene {
	struct core_task tasks[3];
	struct core_plan plan;
};

/* A worker, which got the signal, another, and the first thread. */
static void set_scene(struct scene *scene, uint16_t machine, int signal,
		      int code, uint64_t address)
{
	*scene = (struct scene){
		.tasks = {
			{ WORKER, PROGRAM, guard(0) + 0x8000,
			  thread_pointer(machine, 0), -1, 0 },
			{ PID, PROGRAM, MAIN_STACK + PAGE, 0, -1, 0 },
			{ OTHER, PROGRAM, guard(1) + 0x8000,
			  thread_pointer(machine, 1), -1, 0 },
		},
		.plan = {
			.machine = machine,
			.pid = PID,
			.parts = parts,
			.part_count = LENGTH(parts),
			.task_count = LENGTH(scene->tasks),
			.files = files,
			.file_count = LENGTH(files),
			.signal = signal,
			.code = code,
			.address = address,
			.execfn = MAIN_STACK + PAGE + 8,
		},
	};
	scene->plan.tasks = scene->tasks;
}

static struct guardmaps_error *open_bytes(const void *bytes, size_t size,
					  const struct guardmaps_map *image,
					  struct guardmaps_core **ret)
{
	char *path = core_write(bytes, size);

	struct guardmaps_error *error = guardmaps_core_open(path, image, ret);
	free(path);
	return error;
}

static struct guardmaps_error *open_plan(const struct core_plan *plan,
					 const struct guardmaps_map *image,
					 struct guardmaps_core **ret)
{
	size_t size;
	uint8_t *bytes = core_make(plan, &size);

	struct guardmaps_error *error = open_bytes(bytes, size, image, ret);
	free(bytes);
	return error;
}

static const char *machine_name(uint16_t machine)
{
	return machine == EM_X86_64 ? "x86-64" : "aarch64";
}

static void fault_is(const struct core_plan *plan,
		     const struct guardmaps_map *image, const char *verdict,
		     const char *certainty, const char *what)
{
	const char *machine = machine_name(plan->machine);
	struct guardmaps_core *core = NULL;
	struct guardmaps_fault fault;

	if (!check_success(open_plan(plan, image, &core), "%s: %s is read",
			   machine, what))
		return;
	guardmaps_core_fault(core, &fault);
	check_string(guardmaps_verdict_name(fault.verdict), verdict,
		     "%s: verdict on %s", machine, what);
	check_string(guardmaps_certainty_name(fault.certainty), certainty,
		     "%s: how sure it is of %s", machine, what);
	check_no_fault(map_fault(guardmaps_core_map(core)),
		       "%s: the guard map of %s", machine, what);
	guardmaps_core_close(core);
}

/* ---- Verdicts --------------------------------------------------------- */

static const struct {
	const char *what;
	int signal;
	int code;
	uint64_t address;
	const char *verdict;
	const char *certainty;
} crashes[] = {
	{ "a worker's own guard", SIGSEGV, SEGV_MAPERR, BLOCKS + 8, "guard",
	  "certain" },
	{ "another thread's guard", SIGSEGV, SEGV_MAPERR,
	  BLOCKS + BLOCK_SIZE + 8, "guard", "certain" },
	{ "no page inside a mapping", SIGSEGV, SEGV_MAPERR,
	  BLOCKS + BLOCK_SIZE / 2, "guard", "mappings" },
	{ "the page of [vsyscall]", SIGSEGV, SEGV_MAPERR, VSYSCALL + 8,
	  "no-permission", "mappings" },
	{ "a write to the program", SIGSEGV, SEGV_ACCERR, PROGRAM + 8,
	  "no-permission", "mappings" },
	{ "nothing", SIGSEGV, SEGV_MAPERR, PROGRAM + PAGE, "unmapped",
	  "mappings" },
	{ "a null pointer", SIGSEGV, SEGV_MAPERR, 0, "null-page", "mappings" },
	{ "a mapping that permits it", SIGSEGV, SEGV_ACCERR,
	  BLOCKS + BLOCK_SIZE / 2, "accessible", "none" },
	{ "an address that is not known", SIGSEGV, 128, 0, "unknown-address",
	  "none" },
	{ "a stack pointer that is no address", SIGBUS, 128, 0,
	  "unknown-address", "none" },
	{ "the end of a file", SIGBUS, BUS_ADRERR, PROGRAM + 8, "file-end",
	  "mappings" },
	{ "a broken page", SIGBUS, BUS_MCEERR_AR, PROGRAM + 8, "poison",
	  "mappings" },
	{ "a protection key", SIGSEGV, SEGV_PKUERR, PROGRAM, "other", "none" },
	{ "a signal by kill", SIGSEGV, SI_USER, 0, "sent", "none" },
	{ "an abort", SIGABRT, SI_TKILL, 0, "sent", "none" },
	{ "a division by zero", SIGFPE, FPE_INTDIV, PROGRAM, "other", "none" },
};

static void crashes_are_told_apart(uint16_t machine)
{
	struct scene scene;

	for (size_t i = 0; i < LENGTH(crashes); i++) {
		set_scene(&scene, machine, crashes[i].signal, crashes[i].code,
			  crashes[i].address);
		fault_is(&scene.plan, NULL, crashes[i].verdict,
			 crashes[i].certainty, crashes[i].what);
	}
}

static void system_calls_do_not_fault(uint16_t machine)
{
	struct scene scene;

	set_scene(&scene, machine, SIGSEGV, SEGV_MAPERR, guard(0));
	scene.tasks[0].system_call = machine == EM_X86_64 ? 297 : 240;
	scene.tasks[0].return_address = scene.tasks[0].instruction_pointer;
	fault_is(&scene.plan, NULL, "forged", "none",
		 "a signal that the process made itself");
	/* Such as happens on User-Mode Linux. */
	scene.tasks[0].return_address = PROGRAM + 64;
	if (machine != EM_X86_64)
		scene.tasks[0].system_call = 172;
	fault_is(&scene.plan, NULL, "guard", "certain",
		 "a fault after a system call");
}

/* By the rules of the machine that crashed, whichever reads the file. */
static void addresses_are_those_of_the_machine(uint16_t machine)
{
	bool has_tags = machine == EM_AARCH64;
	struct scene scene;

	set_scene(&scene, machine, SIGSEGV, SEGV_MAPERR,
		  (guard(0) + 8) | UINT64_C(0x5a) << 56);
	fault_is(&scene.plan, NULL, has_tags ? "guard" : "non-canonical",
		 has_tags ? "certain" : "mappings",
		 "an address whose top byte is not 0");
	scene.plan.address = UINT64_C(1) << 52;
	fault_is(&scene.plan, NULL, has_tags ? "unmapped" : "non-canonical",
		 "mappings", "an address above those of four levels");
}

/* ---- Handlers of the program ------------------------------------------ */

/* A page fault, as the kernel leaves it on a stack, before it calls a handler. */
struct frame {
	uint64_t address;
	bool is_write;
	/* SA_SIGINFO. */
	int code;
};

static void put_x86_64_frame(uint64_t *words, const struct frame *frame)
{
	words[0] = PROGRAM;
	words[1] = 7;
	words[21] = guard(0) + 0xa000;
	words[22] = PROGRAM + 0x10;
	words[23] = 0x10246;
	words[24] = 0x33 | UINT64_C(0x2b) << 48;
	words[25] = frame->is_write ? 6 : 4;
	words[26] = 14;
	words[28] = frame->address;
	words[39] = frame->code ? SIGSEGV : 0;
	words[40] = frame->code;
	words[41] = frame->code ? frame->address : 0;
}

static void put_aarch64_frame(uint64_t *words, const struct frame *frame)
{
	words[0] = frame->code ? SIGSEGV : 0;
	words[1] = frame->code;
	words[2] = frame->code ? frame->address : 0;
	words[38] = frame->address;
	words[70] = guard(0) + 0xa000;
	words[71] = PROGRAM + 0x10;
	words[72] = UINT64_C(0x60001000);
	words[74] = 0x46508001 | UINT64_C(0x210) << 32;
	words[140] = 0x45535201 | UINT64_C(16) << 32;
	words[141] = UINT64_C(0x92000007) | frame->is_write << 6;
}

/* In the worker's stack, above its stack pointer. */
static void put_frame(uint16_t machine, const struct frame *frame)
{
	uint64_t *words = blocks + 0x9000 / 8;

	if (machine == EM_X86_64)
		put_x86_64_frame(words, frame);
	else
		put_aarch64_frame(words, frame);
}

static void handled_is(uint16_t machine, const struct frame *frame,
		       const char *verdict, const char *certainty,
		       const char *what)
{
	const char *name = machine_name(machine);
	struct guardmaps_core *core = NULL;
	struct guardmaps_fault fault;
	struct scene scene;

	set_scene(&scene, machine, SIGABRT, SI_TKILL, 0);
	put_frame(machine, frame);
	fault_is(&scene.plan, NULL, verdict, certainty, what);
	if (check_success(open_plan(&scene.plan, NULL, &core),
			  "%s: %s is read again", name, what)) {
		guardmaps_core_fault(core, &fault);
		check_number(fault.ended_by, SIGABRT, "%s: %s: how it ended",
			     name, what);
		check_number(fault.signal, SIGSEGV, "%s: %s: the signal", name,
			     what);
		check_number(fault.explanation.address, frame->address,
			     "%s: %s: the address", name, what);
		check_number(fault.instruction_pointer, PROGRAM + 0x10,
			     "%s: %s: the instruction", name, what);
		guardmaps_core_close(core);
	}
	fill_blocks();
}

static void handled_faults_are_found(uint16_t machine)
{
	handled_is(machine, &(struct frame){ guard(0) + 8, true, SEGV_MAPERR },
		   "guard", "certain", "a handled overflow");
	handled_is(machine, &(struct frame){ HEAP + 8, true, 0 }, "guard",
		   "mappings", "a guard, with a plain handler");
	handled_is(machine, &(struct frame){ PROGRAM + 8, true, 0 },
		   "no-permission", "mappings",
		   "a write to the program, with a plain handler");
	handled_is(machine, &(struct frame){ PROGRAM + 8, false, 0 }, "guard",
		   "mappings", "a guard in the program, with a plain handler");
	handled_is(machine, &(struct frame){ 8, false, SEGV_MAPERR },
		   "null-page", "mappings", "a handled null pointer");
}

/* A frame of another trap, and what is none at all. */
static void other_frames_are_left_out(uint16_t machine)
{
	uint64_t *words = blocks + 0x9000 / 8;
	struct scene scene;

	set_scene(&scene, machine, SIGABRT, SI_TKILL, 0);
	put_frame(machine, &(struct frame){ guard(0) + 8, true, 0 });
	if (machine == EM_X86_64)
		words[26] = 13;
	else
		words[141] = UINT64_C(0x56000000);
	fault_is(&scene.plan, NULL, "sent", "none", "a frame of another trap");
	put_frame(machine, &(struct frame){ guard(0) + 8, true, 0 });
	if (machine == EM_X86_64)
		words[0] = HEAP;
	else
		words[74] = 0x46508001;
	fault_is(&scene.plan, NULL, "sent", "none", "what looks like a frame");
	fill_blocks();
}

/* ---- Stacks ------------------------------------------------------------ */

static void main_stack_has_a_limit(uint16_t machine)
{
	struct scene scene;

	set_scene(&scene, machine, SIGSEGV, SEGV_MAPERR, MAIN_STACK - 8);
	scene.tasks[0] = scene.tasks[1];
	scene.tasks[0].stack_pointer = MAIN_STACK - 8;
	scene.plan.task_count = 1;
	fault_is(&scene.plan, NULL, "main-stack-limit", "mappings",
		 "a stack that may not grow");
	scene.tasks[0].stack_pointer = MAIN_STACK + PAGE;
	scene.plan.address = MAIN_STACK - (1 << 20);
	fault_is(&scene.plan, NULL, "unmapped", "mappings",
		 "a wild pointer below the stack");
}

static void jumped_guards_are_seen(uint16_t machine)
{
	struct scene scene;
	struct guardmaps_core *core;
	struct guardmaps_fault fault;

	set_scene(&scene, machine, SIGSEGV, SEGV_MAPERR, 0);
	scene.tasks[0] = scene.tasks[2];
	scene.tasks[2] = (struct core_task){
		WORKER, PROGRAM, guard(0) + 0x8000, thread_pointer(machine, 0),
		-1,	0
	};
	scene.tasks[0].stack_pointer = guard(0) + 0xe000;
	fault_is(&scene.plan, NULL, "jumped-guard", "certain",
		 "a frame that is larger than the guard");
	if (!check_success(open_plan(&scene.plan, NULL, &core),
			   "%s: the same again", machine_name(machine)))
		return;
	guardmaps_core_fault(core, &fault);
	check_number(fault.entered, WORKER, "%s: whose stack was entered",
		     machine_name(machine));
	guardmaps_core_close(core);
}

static void frames_past_guards_are_seen(uint16_t machine)
{
	struct scene scene;

	set_scene(&scene, machine, SIGSEGV, SEGV_MAPERR, guard(0) - 0x8000);
	scene.tasks[0].stack_pointer = guard(0) - 0x8010;
	fault_is(&scene.plan, NULL, "jumped-guard", "certain",
		 "a frame that is larger than the stack");
	scene.plan.address = guard(0) - 0x800000;
	fault_is(&scene.plan, NULL, "unmapped", "mappings",
		 "a wild pointer below such a frame");
	scene.tasks[0].stack_pointer = guard(0) + 0x2000;
	scene.plan.address = guard(0) - 0x100;
	fault_is(&scene.plan, NULL, "unmapped", "mappings",
		 "a wild pointer below the guard");
}

static void stacks_are_known(uint16_t machine)
{
	const char *name = machine_name(machine);
	struct guardmaps_threads *threads;
	struct guardmaps_core *core;
	struct scene scene;

	set_scene(&scene, machine, SIGSEGV, SEGV_MAPERR, guard(0) + 8);
	if (!check_success(open_plan(&scene.plan, NULL, &core),
			   "%s: stacks are read", name))
		return;
	if (check_success(guardmaps_core_threads(core, &threads),
			  "%s: threads are listed", name)) {
		const struct guardmaps_thread *thread =
			guardmaps_threads_get(threads, 0);
		check_number(guardmaps_threads_count(threads), 3,
			     "%s: all threads", name);
		check_number(thread->tid, WORKER, "%s: who got the signal",
			     name);
		check_number(thread->stack_start, guard(0) + PAGE,
			     "%s: where its stack starts", name);
		check_number(thread->stack_end, guard(0) + BLOCK_SIZE,
			     "%s: where its stack ends", name);
		check_number(thread->guard, GUARDMAPS_STACK_GUARD_MARKER,
			     "%s: what guards it", name);
		check_number(thread->deepest_touched, guard(0) + DESCRIPTOR,
			     "%s: the lowest page that is not empty", name);
		check_number(guardmaps_threads_get(threads, 1)->stack_end, 0,
			     "%s: the first thread's stack is unknown", name);
		guardmaps_threads_destroy(threads);
	}
	check_number(guardmaps_map_region_count(guardmaps_core_map(core)), 2,
		     "%s: guards of both stacks", name);
	guardmaps_core_close(core);
}

/* A descriptor of musl, at the end of block 0: in place of glibc's. */
static void use_musl(struct scene *scene, uint16_t machine)
{
	uint64_t address = guard(0) + BLOCK_SIZE - 0xc0;
	uint64_t *descriptor = blocks + (BLOCK_SIZE - 0xc0) / 8;

	memset(blocks, 0, BLOCK_SIZE);
	descriptor[0] = address;
	descriptor[2] = descriptor[3] = MAIN_STACK;
	descriptor[9] = guard(0);
	descriptor[10] = BLOCK_SIZE;
	descriptor[11] = guard(0) + BLOCK_SIZE - 0x100;
	descriptor[12] = BLOCK_SIZE - 0x100 - 2 * PAGE;
	descriptor[13] = 2 * PAGE;
	/* Looks like the descriptor of glibc's first thread. */
	descriptor[16] = MAIN_STACK + 8;
	scene->tasks[0].thread_pointer = machine == EM_X86_64 ? address
							      : address + 0xc0;
}

static void musl_is_known(uint16_t machine)
{
	struct scene scene;

	set_scene(&scene, machine, SIGSEGV, SEGV_MAPERR, guard(0) + PAGE + 8);
	use_musl(&scene, machine);
	fault_is(&scene.plan, NULL, "guard", "certain",
		 "the second page of a guard of musl");
	fill_blocks();
}

/* ---- Images ----------------------------------------------------------- */

/* A guard map of the same process with one more guard. */
static struct guardmaps_map *make_image(pid_t pid, uint64_t program)
{
	struct guardmaps_map *map;

	check_setup(!guard_map_create(pid, "made", "/bin/program", PAGE, &map));
	map->source = GUARDMAPS_SOURCE_SCAN;
	const struct guardmaps_mapping mappings[] = {
		{ .start = program,
		  .end = program + PAGE,
		  .inode = 1,
		  .permissions = GUARDMAPS_READ | GUARDMAPS_EXECUTE,
		  .name = "/bin/program" },
		{ .start = HEAP,
		  .end = HEAP + 4 * PAGE,
		  .permissions = GUARDMAPS_READ | GUARDMAPS_WRITE,
		  .name = "" },
		{ .start = BLOCKS,
		  .end = BLOCKS + 2 * BLOCK_SIZE,
		  .permissions = GUARDMAPS_READ | GUARDMAPS_WRITE,
		  .name = "" },
	};
	for (size_t i = 0; i < LENGTH(mappings); i++)
		check_setup(guard_map_add_mapping(map, &mappings[i]));
	check_setup(guard_map_add_markers(map, HEAP + PAGE, HEAP + 2 * PAGE,
					  GUARDMAPS_MARKER_GUARD));
	check_setup(guard_map_add_markers(map, guard(0), guard(0) + PAGE,
					  GUARDMAPS_MARKER_GUARD));
	check_setup(guard_map_add_owner(map, 1, WORKER, "parser"));
	return map;
}

static void images_are_used(uint16_t machine)
{
	struct guardmaps_map *image = make_image(PID, PROGRAM);
	struct guardmaps_core *core;
	struct guardmaps_fault fault;
	struct scene scene;

	set_scene(&scene, machine, SIGSEGV, SEGV_MAPERR, HEAP + PAGE);
	fault_is(&scene.plan, image, "guard", "certain",
		 "a guard that the image has");
	scene.plan.address = guard(0) + 8;
	if (check_success(open_plan(&scene.plan, image, &core),
			  "%s: a core with its image is read",
			  machine_name(machine))) {
		guardmaps_core_fault(core, &fault);
		check_string(fault.name, "parser",
			     "%s: the name of the thread, by the image",
			     machine_name(machine));
		check_string(fault.owner_name, "parser",
			     "%s: the name of the owner, by the image",
			     machine_name(machine));
		check_number(
			guardmaps_map_region_count(guardmaps_core_map(core)), 3,
			"%s: guards of image and stacks are joined",
			machine_name(machine));
		guardmaps_core_close(core);
	}
	guardmaps_map_destroy(image);
}

static void image_is_refused(const struct core_plan *plan, pid_t pid,
			     uint64_t program, const char *why)
{
	struct guardmaps_map *image = make_image(pid, program);
	struct guardmaps_core *core = UNTOUCHED;

	check_error(open_plan(plan, image, &core), GUARDMAPS_ERROR_INVALID, why,
		    "an image is refused: %s", why);
	check(core == UNTOUCHED, "nothing is returned: %s", why);
	guardmaps_map_destroy(image);
}

static void strangers_images_are_refused(void)
{
	struct scene scene;

	set_scene(&scene, EM_X86_64, SIGSEGV, SEGV_MAPERR, guard(0));
	image_is_refused(&scene.plan, PID + 1, PROGRAM,
			 "a core file of process 1000 (made), but the image is "
			 "of process 1001 (made)");
	image_is_refused(&scene.plan, PID, PROGRAM + PAGE,
			 "no program is mapped at the same address");
}

/* ---- How a core file is written ---------------------------------------- */

static void order_does_not_matter(void)
{
	struct core_part reversed[LENGTH(parts)];
	struct scene scene;

	for (size_t i = 0; i < LENGTH(parts); i++)
		reversed[i] = parts[LENGTH(parts) - 1 - i];
	set_scene(&scene, EM_X86_64, SIGSEGV, SEGV_MAPERR, guard(0) + 8);
	scene.plan.parts = reversed;
	fault_is(&scene.plan, NULL, "guard", "certain",
		 "a guard, in mappings in descending order");
	scene.plan.signal_with_all = true;
	fault_is(&scene.plan, NULL, "guard", "certain",
		 "a guard, with a signal for each thread");
}

/* gcore leaves out what is as in the file. */
static void mapped_files_count(void)
{
	struct scene scene;

	set_scene(&scene, EM_X86_64, SIGSEGV, SEGV_ACCERR, PROGRAM + 8);
	scene.plan.parts = parts + 1;
	scene.plan.part_count = LENGTH(parts) - 1;
	fault_is(&scene.plan, NULL, "no-permission", "mappings",
		 "a write to the program, which has no header");
}

static void many_mappings_are_read(void)
{
	const size_t count = 70000;
	struct core_part *many = calloc(count, sizeof(*many));
	struct guardmaps_core *core;
	struct scene scene;

	check_setup(many != NULL);
	for (size_t i = 0; i < count; i++) {
		uint64_t start = 0x10000000 + 2 * PAGE * i;
		many[i] = (struct core_part){ start, start + PAGE, PF_R, NULL,
					      0 };
	}
	set_scene(&scene, EM_X86_64, SIGSEGV, SEGV_MAPERR, 0x10000000 + PAGE);
	scene.plan.parts = many;
	scene.plan.part_count = count;
	scene.plan.counts_in_section = true;
	fault_is(&scene.plan, NULL, "unmapped", "mappings",
		 "a hole between 70,000 mappings");
	if (check_success(open_plan(&scene.plan, NULL, &core),
			  "70,000 mappings are read")) {
		check_number(
			guardmaps_map_mapping_count(guardmaps_core_map(core)),
			count + 1, "all of them");
		guardmaps_core_close(core);
	}
	free(many);
}

/* ---- Damage ----------------------------------------------------------- */

/* Whatever is read from it, nothing else than errors or results come of it. */
static bool is_survived(const uint8_t *bytes, size_t size)
{
	struct guardmaps_threads *threads;
	struct guardmaps_core *core = NULL;
	struct guardmaps_fault fault;
	char *map_is_wrong;

	struct guardmaps_error *error = open_bytes(bytes, size, NULL, &core);
	if (error) {
		guardmaps_error_destroy(error);
		return !core;
	}
	guardmaps_core_fault(core, &fault);
	error = guardmaps_core_threads(core, &threads);
	if (error)
		guardmaps_error_destroy(error);
	else
		guardmaps_threads_destroy(threads);
	map_is_wrong = map_fault(guardmaps_core_map(core));
	if (map_is_wrong)
		check_note("%s", map_is_wrong);
	guardmaps_core_close(core);
	bool is_right = !map_is_wrong;
	free(map_is_wrong);
	return is_right;
}

/* Registers and signal come first. */
static void cut_cores_are_read(uint16_t machine)
{
	size_t size, survived = 0, refused = 0, wrong = 0;
	struct guardmaps_core *core;
	struct guardmaps_fault fault;
	struct scene scene;

	set_scene(&scene, machine, SIGSEGV, SEGV_MAPERR, guard(0) + 8);
	uint8_t *bytes = core_make(&scene.plan, &size);
	const size_t last = 4096;
	for (size_t i = 0; i < last; i += under_valgrind() ? 211 : 5) {
		struct guardmaps_error *error =
			open_bytes(bytes, i, NULL, &core);
		if (error) {
			refused++;
			guardmaps_error_destroy(error);
			continue;
		}
		guardmaps_core_fault(core, &fault);
		if (fault.signal != SIGSEGV || !guardmaps_core_is_cut(core))
			wrong++;
		survived++;
		guardmaps_core_close(core);
	}
	check(refused > 0 && survived > 0,
	      "%s: short pieces are refused, long ones read",
	      machine_name(machine));
	check_number(wrong, 0,
		     "%s: what is read of a piece is right, and called cut",
		     machine_name(machine));
	if (check_success(open_bytes(bytes, last, NULL, &core),
			  "%s: the first 4 KiB are read",
			  machine_name(machine))) {
		guardmaps_core_fault(core, &fault);
		check_string(guardmaps_verdict_name(fault.verdict), "guard",
			     "%s: verdict by the first 4 KiB",
			     machine_name(machine));
		guardmaps_core_close(core);
	}
	free(bytes);
}

static void damage_is_survived(uint16_t machine)
{
	size_t size, lost = 0;
	struct scene scene;
	uint32_t state = machine;
	const size_t tries = under_valgrind() ? 20 : 500;

	set_scene(&scene, machine, SIGSEGV, SEGV_MAPERR, guard(0) + 8);
	uint8_t *bytes = core_make(&scene.plan, &size);
	const size_t damaged = 4096 < size ? 4096 : size;
	uint8_t *copy = malloc(size);
	check_setup(copy != NULL);
	for (size_t i = 0; i < tries; i++) {
		memcpy(copy, bytes, size);
		for (size_t j = 0; j < 1 + i % 8; j++)
			copy[next_random(&state) % damaged] =
				next_random(&state);
		lost += !is_survived(copy, size);
	}
	check_number(lost, 0, "%s: damaged headers and notes do no harm",
		     machine_name(machine));
	free(copy);
	free(bytes);
}

static void bytes_are_refused(const void *bytes, size_t size,
			      enum guardmaps_error_code code, const char *why)
{
	struct guardmaps_core *core = UNTOUCHED;

	check_error(open_bytes(bytes, size, NULL, &core), code, why,
		    "refused: %s", why);
	check(core == UNTOUCHED, "nothing is returned: %s", why);
}

/* ---- Compressed core files --------------------------------------------- */

static uint8_t *compress(const void *bytes, size_t size, size_t *ret_size)
{
	size_t room = ZSTD_compressBound(size);
	uint8_t *compressed = malloc(room);

	check_setup(compressed != NULL);
	*ret_size = ZSTD_compress(compressed, room, bytes, size, 1);
	check_setup(!ZSTD_isError(*ret_size));
	return compressed;
}

static void compressed_is_read(const void *bytes, size_t size, const char *what)
{
	struct guardmaps_core *core;
	struct guardmaps_fault fault;

	if (!check_success(open_bytes(bytes, size, NULL, &core), "%s is read",
			   what))
		return;
	guardmaps_core_fault(core, &fault);
	check_string(guardmaps_verdict_name(fault.verdict), "guard",
		     "the verdict on %s", what);
	check_number(fault.owner, WORKER, "the owner of the guard in %s", what);
	check(!guardmaps_core_is_cut(core), "all of %s is there", what);
	guardmaps_core_close(core);
}

/* In one part, and in two, as pzstd(1) does it. */
static void compressed_cores_are_read(void)
{
	size_t size, length, first, rest;
	struct scene scene;

	set_scene(&scene, EM_X86_64, SIGSEGV, SEGV_MAPERR, guard(0) + 8);
	uint8_t *bytes = core_make(&scene.plan, &size);
	uint8_t *compressed = compress(bytes, size, &length);
	compressed_is_read(compressed, length, "a compressed core file");
	free(compressed);
	compressed = compress(bytes, 1000, &first);
	uint8_t *second = compress(bytes + 1000, size - 1000, &rest);
	compressed = realloc(compressed, first + rest);
	check_setup(compressed != NULL);
	memcpy(compressed + first, second, rest);
	compressed_is_read(compressed, first + rest,
			   "a core file that is compressed in two parts");
	free(second);
	free(compressed);
	free(bytes);
}

static void zeros_stay_holes(void)
{
	const size_t size = 64 << 20;
	struct core_file file;
	struct stat status;
	char last = 0;
	size_t length;

	char *bytes = calloc(1, size);
	check_setup(bytes != NULL);
	memcpy(bytes, ELFMAG, SELFMAG);
	bytes[size - 1] = 'x';
	uint8_t *compressed = compress(bytes, size, &length);
	char *path = core_write(compressed, length);
	if (check_success(core_file_open(path, &file), "zeros are read")) {
		check(fstat(file.fd, &status) == 0 &&
			      status.st_blocks * 512 < 1 << 20,
		      "zeros take no room");
		check_number(file.size, size, "zeros count");
		check(!core_file_read(&file, size - 1, &last, 1, &length) &&
			      last == 'x',
		      "what comes after zeros is where it was");
		core_file_close(&file);
	}
	free(path);
	free(compressed);
	free(bytes);
}

/* Wherever it ends, that is said, except right after the magic number. */
static void cut_compressed_cores_are_refused(void)
{
	struct scene scene;
	size_t size, length;
	int wrong = 0;

	set_scene(&scene, EM_X86_64, SIGSEGV, SEGV_MAPERR, guard(0) + 8);
	uint8_t *bytes = core_make(&scene.plan, &size);
	uint8_t *compressed = compress(bytes, size, &length);
	for (size_t cut = 6; cut < length; cut++) {
		struct guardmaps_core *core = NULL;
		struct guardmaps_error *error =
			open_bytes(compressed, cut, NULL, &core);
		wrong += !error || core ||
			 !strstr(guardmaps_error_message(error),
				 "cannot be decompressed: its end is missing");
		guardmaps_error_destroy(error);
	}
	check_number(wrong, 0, "compressed core files that are cut off");
	bytes_are_refused(compressed, length - 1, GUARDMAPS_ERROR_FORMAT,
			  "cannot be decompressed: its end is missing");
	memset(compressed + length / 2, 0xff, 16);
	bytes_are_refused(compressed, length, GUARDMAPS_ERROR_FORMAT,
			  "cannot be decompressed: ");
	free(compressed);
	free(bytes);
}

static void other_compression_is_refused(void)
{
	bytes_are_refused("\xfd\x37\x7a\x58\x5a\x00 text", 12,
			  GUARDMAPS_ERROR_UNSUPPORTED,
			  "compressed by xz, which is not supported: "
			  "decompress it first, with xz -d");
	bytes_are_refused("\x04\x22\x4d\x18 text", 9,
			  GUARDMAPS_ERROR_UNSUPPORTED, "with lz4 -d");
	bytes_are_refused("\x1f\x8b text", 7, GUARDMAPS_ERROR_UNSUPPORTED,
			  "with gzip -d");
}

static void directory_is_named(void)
{
	struct guardmaps_core *core = UNTOUCHED;
	size_t length;

	uint8_t *compressed = compress("text", 4, &length);
	char *path = core_write(compressed, length);
	setenv("TMPDIR", "/nowhere", 1);
	check_error(guardmaps_core_open(path, NULL, &core), GUARDMAPS_ERROR_OS,
		    "into /nowhere: No such file or directory (TMPDIR names "
		    "another directory)",
		    "there must be room to decompress");
	setenv("TMPDIR", "/tmp", 1);
	bytes_are_refused(compressed, length, GUARDMAPS_ERROR_FORMAT,
			  "not a core file");
	free(path);
	free(compressed);
}

/* ---- What is refused -------------------------------------------------- */

static void other_files_are_refused(void)
{
	struct scene scene;
	size_t size;

	set_scene(&scene, EM_X86_64, SIGSEGV, SEGV_MAPERR, guard(0));
	uint8_t *bytes = core_make(&scene.plan, &size);
	bytes_are_refused("", 0, GUARDMAPS_ERROR_FORMAT, "not a core file");
	bytes_are_refused("a long text, but no core file, of 60 bytes .......",
			  50, GUARDMAPS_ERROR_FORMAT, "not a core file");
	bytes_are_refused(bytes, 40, GUARDMAPS_ERROR_FORMAT,
			  "cut off within the ELF header");
	bytes_are_refused(bytes, 300, GUARDMAPS_ERROR_FORMAT,
			  "cut off before the registers of a thread");
	bytes[EI_CLASS] = ELFCLASS32;
	bytes_are_refused(bytes, size, GUARDMAPS_ERROR_UNSUPPORTED,
			  "neither an x86-64 nor an aarch64 core file");
	bytes[EI_CLASS] = ELFCLASS64;
	bytes[offsetof(Elf64_Ehdr, e_machine)] = EM_386;
	bytes_are_refused(bytes, size, GUARDMAPS_ERROR_UNSUPPORTED,
			  "neither an x86-64 nor an aarch64 core file");
	bytes[offsetof(Elf64_Ehdr, e_machine)] = EM_X86_64;
	bytes[offsetof(Elf64_Ehdr, e_type)] = ET_EXEC;
	bytes_are_refused(bytes, size, GUARDMAPS_ERROR_FORMAT,
			  "an ELF file, but not a core file");
	free(bytes);
}

static void nothing_is_waited_for(void)
{
	struct guardmaps_core *core = UNTOUCHED;
	char *path = scratch_path("fifo");

	check_setup(mkfifo(path, 0600) == 0);
	check_error(guardmaps_core_open(path, NULL, &core),
		    GUARDMAPS_ERROR_FORMAT, "not a regular file",
		    "a FIFO is refused at once");
	check_error(guardmaps_core_open("/", NULL, &core),
		    GUARDMAPS_ERROR_FORMAT, "not a regular file",
		    "a directory is refused");
	check_error(guardmaps_core_open("/nowhere/core", NULL, &core),
		    GUARDMAPS_ERROR_OS, "No such file",
		    "a file that is not there is reported");
	free(path);
}

int main(void)
{
	static const uint16_t machines[] = { EM_X86_64, EM_AARCH64 };

	check_begin();
	/* The machine with aarch64 has no /var/tmp. */
	setenv("TMPDIR", "/tmp", 1);
	fill_blocks();
	for (size_t i = 0; i < LENGTH(machines); i++) {
		crashes_are_told_apart(machines[i]);
		system_calls_do_not_fault(machines[i]);
		addresses_are_those_of_the_machine(machines[i]);
		handled_faults_are_found(machines[i]);
		other_frames_are_left_out(machines[i]);
		main_stack_has_a_limit(machines[i]);
		jumped_guards_are_seen(machines[i]);
		frames_past_guards_are_seen(machines[i]);
		stacks_are_known(machines[i]);
		musl_is_known(machines[i]);
		images_are_used(machines[i]);
		cut_cores_are_read(machines[i]);
		damage_is_survived(machines[i]);
	}
	strangers_images_are_refused();
	order_does_not_matter();
	mapped_files_count();
	many_mappings_are_read();
	compressed_cores_are_read();
	zeros_stay_holes();
	cut_compressed_cores_are_refused();
	other_compression_is_refused();
	directory_is_named();
	other_files_are_refused();
	nothing_is_waited_for();
	return check_finish();
}
