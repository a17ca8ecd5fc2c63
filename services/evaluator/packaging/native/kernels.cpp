#include "kernels.h"

#include <cstdlib>
#include <cstring>

namespace csot {

extern const Kernels kernels_any;
#if defined(__x86_64__)
extern const Kernels kernels_avx2, kernels_avx512;
#endif

const Kernels& best_kernels() {
#if defined(__x86_64__)
    // CSOT_KERNELS=baseline or AVX2 takes less than there is: to compare, or where AVX-512 slows the clock down.
    const char* wish = std::getenv("CSOT_KERNELS");
    const auto allows = [wish](const Kernels& its) { return !wish || !*wish || !std::strcmp(wish, its.name); };
    __builtin_cpu_init();
    if (__builtin_cpu_supports("avx512f") && allows(kernels_avx512)) return kernels_avx512;
    const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (avx2 && (allows(kernels_avx2) || !allows(kernels_any))) return kernels_avx2;
#endif
    return kernels_any;
}

}  // namespace csot
