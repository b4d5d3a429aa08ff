#pragma once

#include <memory>
#include <string>

#include "base/status.h"
#include "lifecycle/learned_files.h"
#include "lifecycle/load_settings.h"
#include "lifecycle/runtime_chooser.h"
#include "lifecycle/runtime_options.h"

namespace modelmill {

/// What comparisons of runtimes found out, kept from one life of the server to the next. What is there may be anything:
/// it is read with suspicion, and what makes no sense is as if it were not there. Thread-safe for different keys.
class RuntimeStore {
 public:
  explicit RuntimeStore(std::string directory) : files_(std::move(directory), ".runtimes") {}

  bool keeps() const { return files_.keeps(); }
  /// Null: nothing is known.
  std::shared_ptr<const RuntimeKnowledge> read(const std::string& key) const;
  Status write(const std::string& key, const RuntimeKnowledge& known) const;

 private:
  const LearnedFiles files_;
};

/// The text of a file, and back; null for what is none.
std::string runtimes_text(const RuntimeKnowledge& known);
std::shared_ptr<const RuntimeKnowledge> parse_runtimes(const std::string& text);

/// What a comparison depends on: the model's file, the runtimes with their versions, the machine, the settings. Empty
/// when the file can't be read.
std::string runtime_key(const RuntimeOptions& options, const ModelDefinition& definition, const LoadSettings& settings);

}  // namespace modelmill
