/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* The parts of the program "subject": main.c says what it does. */
#ifndef SUBJECT_H
#define SUBJECT_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "basics.h"
#include "kernel_abi.h"

#define READ_WRITE (PROT_READ | PROT_WRITE)

/* How long calls and sequences may take to continue. */
#define PATIENCE_MILLISECONDS 20000

/* What a page of an area should be. */
enum page_state {
	/* Never touched: zeros. */
	PAGE_EMPTY,
	PAGE_FILLED,
	PAGE_GUARDED,
};

/* Memory of which every page is known. It is never unmapped. */
struct area {
	const char *name;
	char *start;
	size_t count;
	int protection;
	/* The contents of a page are back when its guard is removed. */
	bool shared;
	/* Of each page. */
	uint8_t *states;
	/* In a child of this process. */
	bool gone_after_fork;
	bool empty_after_fork;
	/* Without guards from SIGHUP until they are put back. */
	bool is_spare;
};

struct stack {
	char *guard;
	size_t guard_size;
	char *start;
};

/* This process. It is static, for signal handlers and threads. */
struct subject {
	size_t number;
	size_t page_size;
	struct area areas[32];
	size_t area_count;
	/* The stacks of this process's threads. */
	struct stack stacks[16];
	size_t stack_count;
	/* What the first thread does instead of serve(), or NULL. */
	void (*main_work)(void);
	/* Returns what is wrong with it, or NULL. */
	const char *(*check_main_work)(void);
	/* What a thread does all the time, or NULL. */
	void (*watch)(void);
	bool has_prober;
	bool stops;
	/* The verdict, while it is made. */
	char verdict[256];
};

extern struct subject self;

/* main.c: end the process, with the reason in the file "failed". */
void __attribute__((noreturn)) die(const char *what);

/* Create a file of this process, NAME.N. */
void make_file(const char *name, const char *text);

/* calls.c: by a clock that only goes forward. */
uint64_t milliseconds(void);

/* Returns false if a thread makes no progress. */
bool goes_on(atomic_ulong *counter);

/* ---- Areas (areas.c) --------------------------------------------------- */

void *check_mapped(void *address);
void *map_memory(size_t count, int protection, int flags, int fd);
char *page_of(const struct area *area, size_t page);

/* The contents of a word of a filled page; all are different. */
uint64_t pattern_at(const void *address);

struct area *add_area(const char *name, void *start, size_t count,
		      int protection);

/* The area of the previous word. */
struct area *last_area(void);

void fill_page(struct area *area, size_t page);
void add_guards(struct area *area, size_t page, size_t count);
void remove_guards(struct area *area, size_t page, size_t count);
void protect(struct area *area, int protection);

/* ---- Threads and processes (processes.c) ------------------------------- */

/* Threads that have reached what they are for. */
extern atomic_uint settled;

/* Returns when it runs: by then the C library is done with its start. */
pthread_t start_thread(void *(*run)(void *));

/* Call the process by its number. */
void name_process(void);

/* The process that words are for, or SIZE_MAX. */
extern size_t only_process;

/* ---- Checking (verdict.c, prober.c) -------------------------------- */

void catch_faults(void);

/* Write the verdict; @any_fault: guards need not be markers. */
void give_verdict(bool any_fault);

/* Complain about a page if something is wrong with it. */
void watch_page(struct area *area, size_t page);

/* A thread's work. */
void *probe_forever(void *unused);

/* churn.c: take out the guards that are not always there. */
void open_spare_areas(void);

/* ---- Words -------------------------------------------------------------- */

/* Done with the number after a colon, or 0. Tables end with an empty one. */
struct word {
	const char *name;
	void (*act)(size_t number);
};

extern const struct word memory_words[], lock_words[], process_words[],
	obstacle_words[], prober_words[], call_words[], sequence_words[],
	churn_words[];

#endif /* SUBJECT_H */
