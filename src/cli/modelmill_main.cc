#include <algorithm>

#include "cli/run.h"
#include "server/malloc_tuning.h"

int main(int argc, char** argv) {
  modelmill::tune_malloc();
  return modelmill::run_command_line(argc > 0 ? argv[0] : "", {argv + std::min(argc, 1), argv + argc});
}
