#include "experiment/experiment_parts.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <set>

#include "base/log.h"
#include "base/stable_hash.h"
#include "experiment/experiment_journal.h"

namespace modelmill {
namespace {

/// Processes leave whom they served five times a second.
constexpr Duration kRipe = std::chrono::seconds(1);

ExperimentEvent taken_event(uint64_t key, uint64_t offset) {
  ExperimentEvent event;
  event.kind = ExperimentEvent::Kind::kTaken;
  event.user = key;
  event.other = offset;
  return event;
}

}  // namespace

std::vector<ExperimentEvent> ExperimentParts::snapshot() const {
  std::vector<ExperimentEvent> events;
  for (const auto& [key, offset] : known_) events.push_back(taken_event(key, offset));
  return events;
}

Status ExperimentParts::find(TimePoint now, int64_t now_ms) {
  MM_ASSIGN_OR_RETURN(const auto listed, files_.parts());
  looks_.emplace_back(now, now_ms);
  for (; !looks_.empty() && now - looks_.front().first >= kRipe; looks_.pop_front()) looked_ = looks_.front();
  std::set<uint64_t> there;
  for (const ExperimentFiles::Part& found : listed) {
    const uint64_t key = stable_hash(std::filesystem::path(found.file).filename().string());
    there.insert(key);
    const auto known = known_.find(key);
    Part& part = parts_[found.file];
    if (!part.tail) {
      part.key = key;
      part.kind = found.kind;
      part.is_own = found.replica == replica_;
      part.tail = std::make_unique<JournalTail>(found.file, known == known_.end() ? 0 : known->second);
    }
    std::error_code gone;
    const uint64_t size = std::filesystem::file_size(found.file, gone);
    if (gone && gone != std::errc::no_such_file_or_directory) part.unsized = now;
    if (!gone) part.sizes.emplace_back(now, size);
    for (; !part.sizes.empty() && now - part.sizes.front().first >= kRipe; part.sizes.pop_front())
      part.ripe = part.sizes.front().second;
  }
  for (auto it = parts_.begin(); it != parts_.end();) {
    const Part& part = it->second;
    // What is left of it then is a torn end.
    const bool was_read = part.is_read && part.read_until >= part.tail->size();
    const bool is_gone = !there.contains(part.key);
    if (!is_gone && was_read && remove_left_journal(it->first, part.tail->size())) there.erase(part.key);
    it = there.contains(part.key) ? std::next(it) : parts_.erase(it);
  }
  std::erase_if(known_, [&](const auto& entry) { return !there.contains(entry.first); });
  return ok_status();
}

bool ExperimentParts::are_there() const {
  return std::any_of(parts_.begin(), parts_.end(), [](const auto& entry) {
    const Part& part = entry.second;
    return !part.is_own || (!part.sizes.empty() && part.sizes.back().second > part.tail->offset());
  });
}

Status ExperimentParts::take(bool all, const Take& take) {
  Status failed;
  bool is_whole = true;
  for (const auto kind : {ExperimentFiles::Kind::kUsers, ExperimentFiles::Kind::kOutcomes}) {
    for (auto& [file, part] : parts_) {
      if (part.kind != kind || part.is_bad) continue;
      const uint64_t until = all || kind == ExperimentFiles::Kind::kUsers ? JournalTail::kAll : part.ripe;
      part.read_until = 0;
      part.is_read = false;
      const Status status = part.tail->read(
          [&](std::span<const ExperimentEvent> batch, uint64_t end) {
            failed = take(batch, taken_event(part.key, end));
            if (failed.ok()) known_[part.key] = end;
            return failed.ok();
          },
          until);
      MM_RETURN_IF_ERROR(failed);
      part.is_read = status.ok();
      part.read_until = until;
      if (status.ok()) part.problem.clear();
      // As far as it was taken, it is what was there at that look only if its size was known then.
      is_whole = is_whole && (!part.unsized || *part.unsized < looked_.first);
      if (status.ok() || status.code() == Code::kNotFound || status.code() == Code::kAborted) continue;
      part.is_bad = status.code() == Code::kDataLoss;
      is_whole = is_whole && part.is_bad;
      if (status.message() == part.problem) continue;
      part.problem = status.message();
      Log::error(part.is_bad ? "what another process has left of an experiment is no part of it, and is left out"
                             : "what another process has left of an experiment can't be read yet, and is tried again; "
                               "no user's window ends until then, or until the file is taken away",
                 {{"reason", status.message()}});
    }
  }
  if (is_whole) ripe_ms_ = looked_.second;
  return ok_status();
}

}  // namespace modelmill
