#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace modelmill {

/// What an experiment's files are called, in the folder of all processes that share a state: the journal of the one
/// that decides, and the parts that each of the others leaves for it.
class ExperimentFiles {
 public:
  enum class Kind { kUsers, kOutcomes };
  struct Part {
    std::string file, replica;
    Kind kind = Kind::kUsers;
  };

  /// `number`: of the experiment of that name. INVALID_ARGUMENT for a name that can't be one of a file.
  static Result<ExperimentFiles> of(const std::string& folder, const std::string& name, uint64_t number);

  const std::string& folder() const { return folder_; }
  std::string journal() const { return stem(number_) + "journal"; }
  std::string part(const std::string& replica, uint64_t sequence, Kind kind) const;
  /// Those that there are now; INTERNAL where the system doesn't tell all of them.
  Result<std::vector<Part>> parts() const;

  /// All files of this experiment and of those of its name before it.
  void remove() const;
  /// The parts of one process.
  void remove_parts(const std::string& replica) const;

 private:
  ExperimentFiles(std::string folder, std::string entry, uint64_t number)
      : folder_(std::move(folder)), entry_(std::move(entry)), number_(number) {}
  std::string stem(uint64_t number) const { return folder_ + "/" + entry_ + "." + std::to_string(number) + "."; }

  std::string folder_, entry_;
  uint64_t number_;
};

}  // namespace modelmill
