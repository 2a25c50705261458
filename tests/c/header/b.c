/* The other unit: the headers in the other order, and numbers that the preprocessor must know. */
#include "ironhoard_layout.h"
#include "ironhoard.h"

#if IH_VERSION_NUMBER < IH_VERSION_MAJOR * 1000000 || IH_LAYOUT_VERSION < 1 || IH_DEFAULT_CAPACITY < 4096
#error "the versions and limits must be usable in #if"
#endif

int from_b(ih_status status);

int from_b(ih_status status) { return status != IH_OK; }
