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

struct CpuFeatures {
    bool avx2, avx512;  // with FMA, and with registers that the operating system saves
};

// By cpuid: with zig's C++ runtime, __builtin_cpu_supports is always false.
CpuFeatures detect_features() {
    unsigned a, b, c, d;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA)) return {false, false};
    unsigned enabled, high;
    __asm__("xgetbv" : "=a"(enabled), "=d"(high) : "c"(0));
    constexpr unsigned kAvx = 0x06, kAvx512 = 0xe6;
    if (!__get_cpuid_count(7, 0, &a, &b, &c, &d)) return {false, false};
    return {(enabled & kAvx) == kAvx && b & bit_AVX2, (enabled & kAvx512) == kAvx512 && b & bit_AVX512F};
}

}  // namespace
#endif

const Kernels& best_kernels() {
#if defined(__x86_64__)
    // CSOT_KERNELS=baseline or AVX2 selects a smaller instruction set: to compare, or if AVX-512 lowers the clock.
    const char* requested = std::getenv("CSOT_KERNELS");
    const auto allows = [requested](const Kernels& kernels) {
        return !requested || !*requested || !std::strcmp(requested, kernels.name);
    };
    const CpuFeatures features = detect_features();
    if (features.avx512 && allows(kernels_avx512)) return kernels_avx512;
    if (features.avx2 && (allows(kernels_avx2) || !allows(kernels_any))) return kernels_avx2;
#endif
    return kernels_any;
}

}  // namespace csot
