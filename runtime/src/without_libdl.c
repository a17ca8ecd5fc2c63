/* Linked into the library where zig compiles it: LLVM's unwinder, which throws our exceptions, asks libdl these two.
 *
 * The answer "there is none" is one that it expects: it then finds the frames by dl_iterate_phdr, which libc has,
 * and says no function's name, which nobody asks. So the library needs no more than its header promises.
 */
#define HIDDEN __attribute__((visibility("hidden")))

HIDDEN void *dlsym(void *handle, const char *symbol) {
    (void)handle;
    (void)symbol;
    return 0;
}

HIDDEN int dladdr(const void *address, void *info) {
    (void)address;
    (void)info;
    return 0;
}
