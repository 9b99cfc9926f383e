/* A plugin for QEMU's user-mode emulator: how many instructions the program has executed, written
   to $COUNT_OUT at each getppid(), a system call that changes nothing, and which Python makes only
   when it is told to. Inlined by QEMU: one addition for each block of instructions.
   Declared here rather than included, since Debian ships no header of the interface (version 1,
   https://www.qemu.org/docs/master/devel/tcg-plugins.html). */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define SHOWN __attribute__((visibility("default")))
#define GETPPID 173 /* on 64-bit ARM */
#define ADD_U64 0

typedef uint64_t plugin_id;
struct qemu_plugin_tb;
void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct qemu_plugin_tb *));
size_t qemu_plugin_tb_n_insns(const struct qemu_plugin_tb *);
void qemu_plugin_register_vcpu_tb_exec_inline(struct qemu_plugin_tb *, int, void *, uint64_t);
void qemu_plugin_register_vcpu_syscall_cb(plugin_id, void (*)(plugin_id, unsigned, int64_t, uint64_t,
    uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t, uint64_t));

SHOWN int qemu_plugin_version = 1;
static uint64_t executed;
static FILE *out;

static void translated(plugin_id id, struct qemu_plugin_tb *block) {
  (void)id;
  qemu_plugin_register_vcpu_tb_exec_inline(block, ADD_U64, &executed, qemu_plugin_tb_n_insns(block));
}

static void called(plugin_id id, unsigned processor, int64_t number, uint64_t a, uint64_t b,
                   uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g, uint64_t h) {
  (void)id, (void)processor, (void)a, (void)b, (void)c, (void)d, (void)e, (void)f, (void)g, (void)h;
  if (number == GETPPID) {
    fprintf(out, "%llu\n", (unsigned long long)executed);
    fflush(out);
  }
}

SHOWN int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
  (void)info, (void)argc, (void)argv;
  const char *path = getenv("COUNT_OUT");
  out = path ? fopen(path, "w") : NULL;
  if (!out) return -1;
  qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
  qemu_plugin_register_vcpu_syscall_cb(id, called);
  return 0;
}
