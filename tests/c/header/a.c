/* One of two units that include the header, twice each; also C++ (a.cpp and b.cpp of the test). */
#include "ironhoard.h"
#include "ironhoard.h"
#include "ironhoard_layout.h"
#include "ironhoard_layout.h"

int from_b(ih_status status);

int main(void) {
    static ih_host_options host;
    static ih_engine_options engine;
    return from_b(IH_OK) + (int)host.reserved[0] + (int)engine.reserved[0];
}
