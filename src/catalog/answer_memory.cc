#include "catalog/answer_memory.h"

#include <utility>

namespace modelmill {
namespace {

/// Of an entry without its answers: its places in the list and in the map.
constexpr size_t kEntryBytes = 128;

}  // namespace

size_t MemberAnswers::byte_size() const {
  size_t bytes = sizeof *this + took_part.size() * sizeof(size_t) + shape.size() * sizeof(int64_t) + output.size();
  for (const std::string& one : data) bytes += sizeof(std::string) + one.size();
  return bytes;
}

void AnswerMemory::put(uint64_t id, MemberAnswers answers) {
  const size_t bytes = kEntryBytes + answers.byte_size();
  auto kept = std::make_shared<const MemberAnswers>(std::move(answers));
  Entries gone;  // freed without the lock
  const MutexLock lock(mutex_);
  if (const auto it = by_id_.find(id); it != by_id_.end()) {
    bytes_ -= it->second->bytes;
    gone.splice(gone.end(), entries_, it->second);
    by_id_.erase(it);
  }
  if (bytes > most_bytes_) return;
  entries_.push_back({id, std::move(kept), bytes});
  by_id_[id] = std::prev(entries_.end());
  bytes_ += bytes;
  while (entries_.size() > most_ || bytes_ > most_bytes_) {
    bytes_ -= entries_.front().bytes;
    by_id_.erase(entries_.front().id);
    gone.splice(gone.end(), entries_, entries_.begin());
  }
}

AnswerMemory::Found AnswerMemory::find(uint64_t id) const {
  const MutexLock lock(mutex_);
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return {};
  const auto& answers = it->second->answers;
  return {answers ? Known::kWaits : Known::kCounted, answers};
}

void AnswerMemory::mark_counted(uint64_t id) {
  std::shared_ptr<const MemberAnswers> gone;
  const MutexLock lock(mutex_);
  const auto it = by_id_.find(id);
  if (it == by_id_.end()) return;
  Entry& entry = *it->second;
  gone = std::exchange(entry.answers, nullptr);
  bytes_ -= entry.bytes - kEntryBytes;
  entry.bytes = kEntryBytes;
}

void AnswerMemory::clear() {
  Entries gone;  // freed without the lock
  const MutexLock lock(mutex_);
  gone.swap(entries_);
  by_id_.clear();
  bytes_ = 0;
}

size_t AnswerMemory::size() const {
  const MutexLock lock(mutex_);
  return entries_.size();
}

size_t AnswerMemory::byte_size() const {
  const MutexLock lock(mutex_);
  return bytes_;
}

}  // namespace modelmill
