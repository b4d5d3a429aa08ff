#pragma once

namespace modelmill {

/// What every command's exit code means; docs/cli.md tells users. A second signal during a stop gives 128 + its number.
enum class ExitCode : int {
  kOk = 0,
  kFailure = 1,      // it did not work for a reason of its own: a port in use, no model could be loaded, nothing found
  kUsage = 2,        // the command line is wrong
  kUnreachable = 3,  // no server answers at the URL
  kRefused = 4,      // the model or the input is wrong: unknown name, missing file, other shape
};

}  // namespace modelmill
