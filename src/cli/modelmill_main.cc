#include "cli/run.h"
#include "server/malloc_tuning.h"

int main(int argc, char** argv) {
  modelmill::tune_malloc();
  return modelmill::run_command_line({argv + 1, argv + argc});
}
