#include "kernels.h"

#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace csot {

extern const Kernels kernels_any;
#if defined(__x86_64__)
extern const Kernels kernels_avx2, kernels_avx512;

namespace {

struct Has {
    bool avx2, avx512;  // with FMA, and with registers that the operating system keeps
};

// Asked of the processor itself: zig's C++ runtime answers every __builtin_cpu_supports with no.
Has ask_processor() {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA)) return {false, false};
    unsigned kept, high;
    __asm__("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));
    constexpr unsigned kAvx = 0x06, kAvx512 = 0xe6;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return {false, false};
    return {(kept & kAvx) == kAvx && b & bit_AVX2, (kept & kAvx512) == kAvx512 && b & bit_AVX512F};
}

}  // namespace
#endif

const Kernels& best_kernels() {
#if defined(__x86_64__)
    // CSOT_KERNELS=baseline or AVX2 takes less than there is: to compare, or where AVX-512 slows the clock down.
    const char* wish = std::getenv("CSOT_KERNELS");
    const auto allows = [wish](const Kernels& its) { return !wish || !*wish || !std::strcmp(wish, its.name); };
    const Has has = ask_processor();
    if (has.avx512 && allows(kernels_avx512)) return kernels_avx512;
    if (has.avx2 && (allows(kernels_avx2) || !allows(kernels_any))) return kernels_avx2;
#endif
    return kernels_any;
}

}  // namespace csot
