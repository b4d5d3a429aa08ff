#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <utility>

#include "base/status.h"
#include "experiment/experiment_event.h"

namespace modelmill {

/// Reads a journal from a place in it on, and further each time: one that has been written, or that another process
/// writes meanwhile. Not synchronised.
class JournalTail {
 public:
  /// A batch, and the place in the file behind it. False: it is not taken, and read again the next time.
  using Take = std::function<bool(std::span<const ExperimentEvent> batch, uint64_t end)>;
  static constexpr uint64_t kAll = std::numeric_limits<uint64_t>::max();

  explicit JournalTail(std::string file, uint64_t offset = 0) : file_(std::move(file)), offset_(offset) {}
  ~JournalTail();
  JournalTail(const JournalTail&) = delete;
  JournalTail& operator=(const JournalTail&) = delete;

  /// Gives the whole batches that end at `until` at the latest. What a crash has torn, or is being written, is none.
  /// NOT_FOUND without a file, DATA_LOSS for one that is no journal, ABORTED for one that was written anew: begin
  /// again. INTERNAL where the system can't read it: what was given till then was, and the next time goes on there.
  Status read(const Take& take, uint64_t until = kAll);

  /// Behind the last batch that was taken.
  uint64_t offset() const { return offset_; }
  /// The file's, when it was read last.
  uint64_t size() const { return size_; }

 private:
  Status read_magic();

  const std::string file_;
  uint64_t offset_;
  uint64_t size_ = 0;
  int fd_ = -1;  // stays open, so that no other file is taken for this one
};

}  // namespace modelmill
