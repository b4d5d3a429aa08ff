#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "experiment/experiment_event.h"

namespace modelmill {

/// The events of an experiment in a file, in batches that are there whole or not at all. What append() wrote outlasts
/// the process; what was there at sync() outlasts the machine. Not synchronised; one at a time for a file.
class ExperimentJournal {
 public:
  /// Replays what is there; a last batch that a crash has torn is dropped. DATA_LOSS for a file that is no journal.
  static Result<std::unique_ptr<ExperimentJournal>> open(const std::string& file,
                                                         const std::function<void(const ExperimentEvent&)>& replay);
  /// A new one, for another process to read: it is locked for as long as its writer lives.
  static Result<std::unique_ptr<ExperimentJournal>> make(const std::string& file);
  ~ExperimentJournal();
  ExperimentJournal(const ExperimentJournal&) = delete;
  ExperimentJournal& operator=(const ExperimentJournal&) = delete;

  /// Up to 65,536 events are one batch.
  Status append(std::span<const ExperimentEvent> events);
  Status sync();
  /// These in the place of all that is there.
  Status rewrite(std::span<const ExperimentEvent> events);
  uint64_t events() const { return events_; }
  /// Whether nobody has taken its file away.
  bool is_there() const;

 private:
  explicit ExperimentJournal(std::string file) : file_(std::move(file)) {}
  Status reopen();
  Status write(const std::string& bytes);

  const std::string file_;
  int fd_ = -1;
  uint64_t events_ = 0;
  uint64_t size_ = 0;  // of whole batches
  bool is_dirty_ = false;
  bool is_locked_ = false;
};

/// Takes away a journal that make() made, if its writer is gone and it has no more than `size` bytes. False: it stays.
bool remove_left_journal(const std::string& file, uint64_t size);

}  // namespace modelmill
