#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "model/ensemble_definition.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace modelmill {

/// What the members of a combination said to one request: one output of each that took part.
struct MemberAnswers {
  std::shared_ptr<const std::vector<std::string>> members;  // all of them, by name
  std::vector<size_t> took_part;                            // places in `members`
  DataType dtype = DataType::kInvalid;
  Shape shape;
  std::vector<std::string> data;  // by took_part: the tensor's bytes
  /// What became of them: another configuration of the ensemble may combine otherwise, or learn of another output.
  Combiner combiner = Combiner::kAverage;
  std::string output = {};

  size_t byte_size() const;
};

/// Answers by the id of their request, until somebody tells what would have been right. Never more of them, nor more
/// bytes, than its bounds: the oldest leave. Thread-safe.
class AnswerMemory {
 public:
  static constexpr size_t kMost = 100'000;
  static constexpr size_t kMostBytes = size_t{64} << 20;

  explicit AnswerMemory(size_t most = kMost, size_t most_bytes = kMostBytes) : most_(most), most_bytes_(most_bytes) {}

  /// Of an id that is known already the new answers take the place of the old ones.
  void put(uint64_t id, MemberAnswers answers);

  enum class Known { kUnknown, kCounted, kWaits };
  struct Found {
    Known known = Known::kUnknown;
    std::shared_ptr<const MemberAnswers> answers;  // of one that waits
  };
  Found find(uint64_t id) const;
  /// From now on the id is known as one that was counted, until it leaves; its answers are gone.
  void mark_counted(uint64_t id);
  void clear();

  size_t size() const;
  size_t byte_size() const;

 private:
  struct Entry {
    uint64_t id = 0;
    std::shared_ptr<const MemberAnswers> answers;  // null: counted
    size_t bytes = 0;
  };
  using Entries = std::list<Entry>;

  const size_t most_, most_bytes_;
  mutable Mutex mutex_;
  Entries entries_ MM_GUARDED_BY(mutex_);  // the oldest first
  std::unordered_map<uint64_t, Entries::iterator> by_id_ MM_GUARDED_BY(mutex_);
  size_t bytes_ MM_GUARDED_BY(mutex_) = 0;
};

}  // namespace modelmill
