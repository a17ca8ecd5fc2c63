// Hidden stand-ins for two functions of libdl, which LLVM's unwinder refers to where it is linked statically (zig).
//
// They answer "not found". The unwinder handles that: it finds frames through dl_iterate_phdr of libc, and loses only
// the names of functions, which the library does not use. So the library needs no library beyond those that its
// header names. Where nothing refers to them (g++), the linker drops them.
extern "C" {

__attribute__((visibility("hidden"))) void* dlsym(void*, const char*) { return nullptr; }

__attribute__((visibility("hidden"))) int dladdr(const void*, void*) { return 0; }
}
