#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "rollout/rollout_keeper.h"

// What RolloutKeeper does about what files want.

namespace modelmill {
namespace {

/// Of a change that other processes are faster than, again and again.
constexpr int kWishAttempts = 16;

bool is_over(RolloutWishState state) {
  return state == RolloutWishState::kPromoted || state == RolloutWishState::kRolledBack ||
         state == RolloutWishState::kAborted;
}

}  // namespace

Status RolloutKeeper::end_wish(const std::string& name, Record& record, const std::string& why) {
  RolloutDocument& document = record.document;
  if (!document.wish) return ok_status();
  const RolloutWish wish = *std::exchange(document.wish, std::nullopt);
  if (document.last && document.last->is_active() && document.last->number == wish.rollout)
    return finish(name, record, RolloutPhase::kAborted, wish.file, why);
  return ok_status();
}

Status RolloutKeeper::try_wish(const std::string& name, Record& record) {
  if (!record.document.wish || record.document.wish->state != RolloutWishState::kWaiting) return ok_status();
  const std::string place = record.document.wish->place;
  const auto request = parse_rollout_request(record.document.wish->plan);
  Status begun = request.ok() ? begin(name, *request, record, place, /*wished=*/true) : request.status();
  if (begun.ok() || begun.code() == Code::kAborted) return begun;
  MM_ASSIGN_OR_RETURN(record, records_.get(name));  // as it was before that
  if (!record.document.wish) return ok_status();
  RolloutWish& wish = *record.document.wish;
  const bool is_reached = begun.code() == Code::kAlreadyExists;
  if (!is_reached && wish.why == begun.message()) return ok_status();
  wish.why = begun.message();
  if (is_reached) wish.state = RolloutWishState::kReached;
  Log::info(is_reached ? "a rollout that a file wants has nothing to do" : "a rollout that a file wants waits",
            {{"route", name}, {"file", place}, {"reason", wish.why}});
  return records_.put(name, record);
}

Status RolloutKeeper::declare_once(const YamlWish& wanted) {
  MM_ASSIGN_OR_RETURN(const std::string plan, rollout_plan_text(wanted.plan));
  MM_ASSIGN_OR_RETURN(Record record, records_.get(wanted.name));
  auto& wish = record.document.wish;
  if (wish && wish->plan == plan) {
    if (wish->place == wanted.place && wish->file == wanted.file) return ok_status();
    wish->place = wanted.place;
    wish->file = wanted.file;
    return records_.put(wanted.name, record);
  }
  MM_RETURN_IF_ERROR(end_wish(wanted.name, record, "the file wants another rollout"));
  wish = RolloutWish{plan, wanted.file, wanted.place};
  MM_RETURN_IF_ERROR(records_.put(wanted.name, record));
  return try_wish(wanted.name, record);
}

Status RolloutKeeper::withdraw(const std::string& name) {
  MM_ASSIGN_OR_RETURN(Record record, records_.get(name));
  auto& wish = record.document.wish;
  if (!wish) return ok_status();
  if (is_over(wish->state)) {  // what has ended is not begun again where the file is but put back
    wish->file.clear();
    wish->place.clear();
  } else {
    MM_RETURN_IF_ERROR(end_wish(name, record, "the file does not want it any more"));
  }
  return records_.put(name, record);
}

Status RolloutKeeper::declare(const std::vector<YamlWish>& wishes, const std::vector<std::string>& files) {
  const MutexLock lock(mutex_);
  std::set<std::string> wanted;
  for (const YamlWish& wish : wishes) {
    wanted.insert(wish.name);
    Status status = declare_once(wish);
    for (int attempt = 1; attempt < kWishAttempts && status.code() == Code::kAborted; ++attempt)
      status = declare_once(wish);
    MM_RETURN_IF_ERROR(status.with_context(wish.place));
  }
  wished_ = wanted;
  MM_ASSIGN_OR_RETURN(const auto all, records_.all());
  for (const auto& [name, record] : all) {
    const auto& wish = record.document.wish;
    if (!wish || wanted.contains(name) || std::find(files.begin(), files.end(), wish->file) == files.end()) continue;
    Status status = withdraw(name);
    for (int attempt = 1; attempt < kWishAttempts && status.code() == Code::kAborted; ++attempt)
      status = withdraw(name);
    MM_RETURN_IF_ERROR(status.with_context(wish->file));
  }
  return ok_status();
}

}  // namespace modelmill
