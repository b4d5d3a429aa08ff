#pragma once

#include <string>
#include <vector>

#include "base/status.h"
#include "cli/personality/personality.h"

namespace modelmill::personality {

/// What the flags of torchserve have said so far.
struct TorchServeDraft {
  bool help = false;
  bool version = false;
  bool start = false;
  bool stop = false;
  bool foreground = false;
  std::string config;
  std::string model_store;
  std::string workflow_store;
  std::vector<std::string> models;
  std::string log_config;
  std::string cpp_log_config;
  bool no_snapshots = false;
  bool no_tokens = false;
  bool model_api = false;
};

/// A flag of torchserve. `apply` sees each of its values.
struct TorchServeFlag : FlagText {
  Status (*apply)(TorchServeDraft& draft, const std::string& text) = nullptr;
  char letter = 0;    // of its short form; 0: it has none
  bool many = false;  // it takes all words up to the next flag
};

/// Every flag, in the order of its usage.
const std::vector<TorchServeFlag>& torchserve_flags();

/// Reads a command line as Python's argparse does: flags in one word or in two, or shortened as far as they stay clear.
/// The ignored ones go to `ignored`, each once. INVALID_ARGUMENT has argparse's words.
Status read_torchserve_line(const std::vector<std::string>& arguments, TorchServeDraft& draft,
                            std::vector<const TorchServeFlag*>& ignored);

/// The server of a command line that is not for --version, --stop or --help. The error's message is printed as it is.
Result<Launch> torchserve_launch(const TorchServeDraft& draft, const Environment& environment);

}  // namespace modelmill::personality
