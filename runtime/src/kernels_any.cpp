// For every processor of the compiler's default target: SSE2 and NEON have registers of four floats.
#if defined(__aarch64__)
#define KERNELS_LABEL "NEON"
#define PANEL_VECTORS 4  // 24 of 32 registers hold sums
#define STEP_ROWS 6
#else
#define KERNELS_LABEL "baseline"
#define PANEL_VECTORS 2
#define STEP_ROWS 4
#endif
#define KERNELS_NAME kernels_any
#define VECTOR_FLOATS 4
#include "kernels_impl.h"
