#if defined(__x86_64__)
#define KERNELS_NAME kernels_avx512
#define KERNELS_LABEL "AVX-512"
#define VECTOR_FLOATS 16
#define PANEL_VECTORS 2
#define STEP_ROWS 12
#include "kernels_impl.h"
#endif
