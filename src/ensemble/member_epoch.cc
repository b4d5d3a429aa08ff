#include "ensemble/member_epoch.h"

#include <utility>

#include "base/brief_lock.h"

namespace modelmill {
namespace {

constexpr AnswerGround kUnknown{0, 0, false};

bool is_steady(const EnsemblePlan& plan, bool weighted) {
  return !weighted && !(plan.combines && plan.combination.quorum < plan.steps.size());
}

}  // namespace

MemberEpoch::MemberEpoch(std::shared_ptr<const EnsemblePlan> plan, EnsembleMembers& members, bool weighted)
    : plan_(std::move(plan)), members_(members), steady_(is_steady(*plan_, weighted)) {}

std::optional<std::vector<uint64_t>> MemberEpoch::look() const {
  std::vector<uint64_t> seen;
  for (const EnsemblePlan::Step& step : plan_->steps) {
    const Result<VersionPin> pin = members_.pin(step);
    const bool pinned = pin.ok() && *pin;
    const std::optional<uint64_t> epoch = pinned ? (*pin)->answers_epoch() : 0;
    if (!epoch) return std::nullopt;
    seen.push_back(pinned ? (*pin)->serial() : 0);
    seen.push_back(*epoch);
  }
  return seen;
}

AnswerGround MemberEpoch::now() {
  const uint64_t changes = members_.changes();
  if (!steady_ || changes % 2 != 0) return kUnknown;
  {
    const BriefLock lock(mutex_);
    if (looked_at_ == changes) return {epoch_, changes, seen_.has_value()};
  }
  std::optional<std::vector<uint64_t>> seen = look();
  // It may be of both sides of a change.
  if (members_.changes() != changes) return kUnknown;
  const BriefLock lock(mutex_);
  if (looked_at_ != UINT64_MAX && looked_at_ > changes) return kUnknown;
  looked_at_ = changes;
  if (seen_ != seen) {
    ++epoch_;
    seen_.swap(seen);
  }
  return {epoch_, changes, seen_.has_value()};
}

}  // namespace modelmill
