#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "catalog/learned_cost.h"
#include "lifecycle/learned_files.h"

namespace modelmill {

/// What was learned of models' costs, kept in a folder from one life of the server to the next: a file for each key.
/// What is there may be anything: it is read with suspicion, and what makes no sense is as if it were not there.
/// Files of keys not written for longest go when there are more than kMostFiles. Thread-safe for different keys.
class CostStore {
 public:
  static constexpr size_t kMostFiles = LearnedFiles::kMostFiles;

  /// An empty folder's name: nothing is kept.
  explicit CostStore(std::string directory) : files_(std::move(directory), ".costs") {}

  bool keeps() const { return files_.keeps(); }
  std::vector<LearnedCost> read(const std::string& key) const;
  /// Makes the folder at need; the file is whole or not there, whenever the process ends.
  Status write(const std::string& key, std::span<const LearnedCost> costs) const;

 private:
  const LearnedFiles files_;
};

/// The text of a file, and back.
std::string costs_text(std::span<const LearnedCost> costs);
std::vector<LearnedCost> parse_costs(const std::string& text);

/// What costs depend on, beside the machine.
struct CostSubject {
  std::vector<std::string> files;  // the model's
  std::string backend;
  std::string runtime;  // with its version
  int64_t max_rows = 1;
  int instance_threads = 0;
  std::string config;  // what else the model was told
  /// The GPUs that it may run on: what they are called, and how large they are; empty where it runs on the CPU.
  std::vector<std::string> gpus = {};
};

/// The key of a subject on this machine: a digest, in hexadecimal digits. Empty when a file can't be read. Of files
/// above a gibibyte, the first and last 64 MiB and the size count.
std::string cost_key(const CostSubject& subject);

}  // namespace modelmill
