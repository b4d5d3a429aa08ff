#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/status.h"

namespace modelmill {

/// Small files of what was learned, in a folder that outlasts the server: one for each key, all with one ending. Those
/// not written for longest go when there are more than kMostFiles. Thread-safe for different keys.
class LearnedFiles {
 public:
  static constexpr size_t kMostFiles = 1'000;

  /// An empty folder's name: nothing is kept. `suffix`: ".costs".
  LearnedFiles(std::string directory, std::string suffix)
      : directory_(std::move(directory)), suffix_(std::move(suffix)) {}

  bool keeps() const { return !directory_.empty(); }
  /// nullopt: there is none that can be read.
  std::optional<std::string> read(const std::string& key) const;
  /// Makes the folder at need; the file is whole or not there, whenever the process ends.
  Status write(const std::string& key, const std::string& text) const;

 private:
  std::string path_of(const std::string& key) const { return directory_ + '/' + key + suffix_; }
  void forget_oldest() const;

  const std::string directory_;
  const std::string suffix_;
};

}  // namespace modelmill
