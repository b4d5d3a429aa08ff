#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "experiment/experiment_event.h"
#include "experiment/experiment_files.h"
#include "experiment/journal_tail.h"

namespace modelmill {

/// What other processes leave for the one that decides on an experiment, as that one takes it: each batch once, also
/// over crashes, as what comes of a batch and how far it was taken are written together. Outcomes are taken a second
/// after they came in: by then whoever served their users has left that. Not synchronised.
class ExperimentParts {
 public:
  /// Does what the batch says and writes that down, with `taken`. After an error it has not been taken.
  using Take = std::function<Status(std::span<const ExperimentEvent> batch, const ExperimentEvent& taken)>;

  /// `replica`: this process, which may leave something for itself.
  ExperimentParts(ExperimentFiles files, std::string replica)
      : files_(std::move(files)), replica_(std::move(replica)) {}

  /// A kTaken that was written.
  void apply(const ExperimentEvent& taken) { known_[taken.user] = taken.other; }
  /// All of them that matter still.
  std::vector<ExperimentEvent> snapshot() const;

  /// Sees which there are, and takes away those that were taken whole and whose writers are gone or have gone on.
  /// `now_ms`: since 1970. After an error nothing is taken for gone.
  Status find(TimePoint now, int64_t now_ms);
  /// Takes what is new. `all`: outcomes that came in just now as well.
  Status take(bool all, const Take& take);
  /// All that was left until then take() has taken; since 1970. Stands still while a part can't be read.
  int64_t ripe_ms() const { return ripe_ms_; }
  /// Whether there are others, or there were and they have left something.
  bool are_there() const;

 private:
  struct Part {
    uint64_t key = 0;  // of its file's name
    ExperimentFiles::Kind kind{};
    bool is_own = false;
    std::unique_ptr<JournalTail> tail;
    /// The file's size at looks of the last second.
    std::deque<std::pair<TimePoint, uint64_t>> sizes;
    std::optional<TimePoint> unsized;  // the last look that could not tell its size
    uint64_t ripe = 0;                 // the file was so large a second ago
    uint64_t read_until = 0;           // what was there before that was taken
    bool is_read = false;              // as far as that, without an error
    bool is_bad = false;               // it is no part, and is left out for good
    std::string problem;               // the one that was logged last
  };

  const ExperimentFiles files_;
  const std::string replica_;
  std::deque<std::pair<TimePoint, int64_t>> looks_;  // of the last second, with their times since 1970
  std::pair<TimePoint, int64_t> looked_{};           // the last one before them
  int64_t ripe_ms_ = 0;
  std::map<std::string, Part> parts_;   // by file
  std::map<uint64_t, uint64_t> known_;  // how far they were taken, by key
};

}  // namespace modelmill
