#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "experiment/experiment_keeper.h"
#include "state/entry_name.h"

// What ExperimentKeeper does about what files want.

namespace modelmill {
namespace {

/// Of a change that other processes are faster than, again and again.
constexpr int kWishAttempts = 16;

}  // namespace

Status ExperimentKeeper::try_wish(const std::string& name, Record& record) {
  if (!record.document.wish || record.document.wish->state != ExperimentWishState::kWaiting) return ok_status();
  const std::string place = record.document.wish->place;
  const auto definition = parse_experiment_request(record.document.wish->plan);
  Status begun = definition.ok() ? begin(name, *definition, record, place, /*wished=*/true) : definition.status();
  if (begun.ok() || begun.code() == Code::kAborted) return begun;
  MM_ASSIGN_OR_RETURN(record, records_.get(name));  // as it was before that
  auto& wish = record.document.wish;
  if (!wish || wish->state != ExperimentWishState::kWaiting || wish->why == begun.message()) return ok_status();
  wish->why = begun.message();
  Log::info("an experiment that a file wants waits", {{"experiment", name}, {"file", place}, {"reason", wish->why}});
  return records_.put(name, record);
}

Status ExperimentKeeper::declare_once(const YamlWish& wanted) {
  MM_ASSIGN_OR_RETURN(const std::string plan, experiment_plan_text(wanted.plan));
  MM_RETURN_IF_ERROR(entry_name(wanted.name).status());
  MM_ASSIGN_OR_RETURN(Record record, records_.get(wanted.name));
  auto& wish = record.document.wish;
  const bool is_same = wish && wish->plan == plan;
  if (is_same && wish->place == wanted.place && wish->file == wanted.file) return ok_status();
  if (is_same) {
    wish->place = wanted.place;
    wish->file = wanted.file;
  } else {
    wish = ExperimentWish{plan, wanted.file, wanted.place};
  }
  MM_RETURN_IF_ERROR(records_.put(wanted.name, record));
  return try_wish(wanted.name, record);
}

Status ExperimentKeeper::withdraw(const std::string& name) {
  MM_ASSIGN_OR_RETURN(Record record, records_.get(name));
  auto& wish = record.document.wish;
  if (!wish) return ok_status();
  if (wish->state == ExperimentWishState::kWaiting) {
    wish.reset();
  } else {  // what has begun is not begun again where the file is but put back
    wish->file.clear();
    wish->place.clear();
  }
  return records_.put(name, record);
}

Status ExperimentKeeper::declare(const std::vector<YamlWish>& wishes, const std::vector<std::string>& files) {
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
