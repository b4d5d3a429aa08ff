#include "experiment/exposed_users.h"

#include <algorithm>
#include <bit>
#include <utility>

namespace modelmill {
namespace {

using Kind = ExperimentEvent::Kind;

/// Of an outcome's own time: clocks of different machines differ by less.
constexpr int64_t kClockSlackMs = 60'000;
/// So many ids of one user's outcomes are known; one with more is a mistake of whoever counts.
constexpr size_t kMostSeen = 10'000;

ExperimentEvent event(Kind kind, uint64_t user, int64_t at_ms) {
  ExperimentEvent made;
  made.kind = kind;
  made.user = user;
  made.at_ms = at_ms;
  return made;
}

}  // namespace

ExposedUsers::ExposedUsers(Plan plan) : plan_(std::move(plan)), totals_(plan_.arms, ArmTotals(plan_.binary.size())) {}

ExperimentEvent ExposedUsers::settled_event(int64_t now_ms) { return event(Kind::kSettled, 0, now_ms); }

bool ExposedUsers::settle(int64_t now_ms) {
  const int64_t before = now_ms - plan_.window.count();
  const size_t waited = order_.size() + link_order_.size();
  for (; !order_.empty() && order_.front().first <= before; order_.pop_front()) {
    const auto it = open_.find(order_.front().second);
    if (it == open_.end()) continue;
    ArmTotals& arm = totals_[it->second.arm];
    for (size_t metric = 0; metric < plan_.binary.size(); ++metric) arm.metrics[metric].add(it->second.values[metric]);
    seen_ -= it->second.seen.size();
    if (!plan_.by_request) counted_.insert(it->first);
    open_.erase(it);
  }
  for (; !link_order_.empty() && link_order_.front().first <= before; link_order_.pop_front())
    links_.erase(link_order_.front().second);
  return order_.size() + link_order_.size() < waited;
}

void ExposedUsers::tally(ExperimentCount which, Log& log) {
  const uint64_t count = ++counts_[static_cast<size_t>(which)];
  if (which == ExperimentCount::kAccepted) return;  // its outcome tells
  // One after the other, as refusals of a table that is full come, need one event.
  if (log.empty() || log.back().kind != Kind::kCount || log.back().metric != static_cast<uint8_t>(which)) {
    log.push_back(event(Kind::kCount, 0, 0));
    log.back().metric = static_cast<uint8_t>(which);
  }
  log.back().value = static_cast<double>(count);
}

void ExposedUsers::enter(uint64_t user, uint8_t arm, int64_t at_ms) {
  open_[user] = {arm, at_ms, std::vector<double>(plan_.binary.size()), {}};
  order_.emplace_back(order_.empty() ? at_ms : std::max(at_ms, order_.back().first), user);
}

void ExposedUsers::link(uint64_t request, uint64_t user, int64_t at_ms) {
  if (!links_.emplace(request, user).second) return;
  link_order_.emplace_back(link_order_.empty() ? at_ms : std::max(at_ms, link_order_.back().first), request);
  if (links_.size() <= plan_.most_requests) return;
  links_.erase(link_order_.front().second);
  link_order_.pop_front();
}

void ExposedUsers::expose(uint64_t user, uint64_t request, uint8_t arm, int64_t now_ms, Log& log) {
  const uint64_t unit = plan_.by_request ? request : user;
  if (unit == 0) return tally(ExperimentCount::kKeyless, log);
  const bool is_open = open_.contains(unit);
  if (!is_open && !counted_.contains(unit)) {
    if (is_full()) return tally(ExperimentCount::kFull, log);
    enter(unit, arm, now_ms);
    ++totals_[arm].exposed;
    ExperimentEvent made = event(Kind::kExposed, unit, now_ms);
    made.arm = arm;
    log.push_back(made);
  } else if (!is_open) {
    return;
  }
  if (plan_.by_request || request == 0 || links_.contains(request)) return;
  link(request, unit, now_ms);
  ExperimentEvent made = event(Kind::kLink, unit, now_ms);
  made.other = request;
  log.push_back(made);
}

std::optional<uint64_t> ExposedUsers::user_of(const Outcome& outcome) const {
  if (outcome.user != 0) return outcome.user;
  if (plan_.by_request) return outcome.request;
  const auto it = links_.find(outcome.request);
  return it == links_.end() ? std::nullopt : std::optional(it->second);
}

bool ExposedUsers::knows(const Outcome& outcome) const {
  const auto user = user_of(outcome);
  return user && (open_.contains(*user) || counted_.contains(*user));
}

void ExposedUsers::add_value(User& user, uint8_t metric, double value) {
  double& kept = user.values[metric];
  const double before = kept;
  kept = !plan_.binary[metric] ? kept + value : value != 0 ? 1 : kept;
  totals_[user.arm].so_far[metric] += kept - before;
}

ExperimentCount ExposedUsers::add(const Outcome& outcome, int64_t now_ms, Log& log) {
  const auto told = [&](ExperimentCount which) {
    tally(which, log);
    return which;
  };
  const auto user = user_of(outcome);
  const auto it = user ? open_.find(*user) : open_.end();
  if (it == open_.end())
    return told(user && counted_.contains(*user) ? ExperimentCount::kLate : ExperimentCount::kUnknown);
  User& known = it->second;
  const int64_t at = outcome.at_ms.value_or(now_ms);
  const bool is_over = now_ms >= known.exposed_ms + plan_.window.count();
  if (is_over || at < known.exposed_ms - kClockSlackMs || at > now_ms + kClockSlackMs)
    return told(ExperimentCount::kLate);
  if (outcome.id != 0) {
    if (std::find(known.seen.begin(), known.seen.end(), outcome.id) != known.seen.end() ||
        known.seen.size() >= kMostSeen)
      return told(ExperimentCount::kDuplicate);
    known.seen.push_back(outcome.id);
    ++seen_;
  }
  add_value(known, outcome.metric, outcome.value);
  ExperimentEvent made = event(Kind::kOutcome, it->first, now_ms);
  made.metric = outcome.metric;
  made.other = outcome.id;
  made.value = outcome.value;
  log.push_back(made);
  return told(ExperimentCount::kAccepted);
}

void ExposedUsers::apply(const ExperimentEvent& e) {
  if (e.arm >= totals_.size()) return;
  told_to_settle_ = told_to_settle_ || e.kind == Kind::kSettled;
  // What follows may be of before that.
  if (e.at_ms != 0 && !told_to_settle_) settle(e.at_ms - kGraceMs);
  const bool has_metric = e.metric < plan_.binary.size();
  switch (e.kind) {
    case Kind::kExposed:
      enter(e.user, e.arm, e.at_ms);
      ++totals_[e.arm].exposed;
      break;
    case Kind::kLink: link(e.other, e.user, e.at_ms); break;
    case Kind::kOutcome:
    case Kind::kSeen:
      if (const auto it = open_.find(e.user); it != open_.end() && has_metric) {
        if (e.kind == Kind::kOutcome) {
          add_value(it->second, e.metric, e.value);
          ++counts_[static_cast<size_t>(ExperimentCount::kAccepted)];
        }
        if (e.other != 0) it->second.seen.push_back(e.other);
        seen_ += e.other != 0 ? 1 : 0;
      }
      break;
    case Kind::kCount:
      if (e.metric < counts_.size()) counts_[e.metric] = static_cast<uint64_t>(e.value);
      break;
    case Kind::kCounted: counted_.insert(e.user); break;
    case Kind::kGiven:
    case Kind::kTold:
    case Kind::kToldAt:
    case Kind::kTaken: break;  // of parts, and how far those were taken
    case Kind::kSettled: settle(e.at_ms); break;
    case Kind::kTotals:
      if (has_metric) totals_[e.arm].metrics[e.metric] = {e.user, e.value, std::bit_cast<double>(e.other)};
      break;
    case Kind::kArmTotals:
      totals_[e.arm].exposed = e.user;
      if (has_metric) totals_[e.arm].so_far[e.metric] = e.value;
      break;
  }
}

ExposedUsers::Log ExposedUsers::snapshot() const {
  Log log;
  if (told_to_settle_) log.push_back(settled_event(0));
  for (const uint64_t user : counted_) log.push_back(event(Kind::kCounted, user, 0));
  for (const auto& [at, user] : order_) {
    const auto it = open_.find(user);
    if (it == open_.end()) continue;
    ExperimentEvent exposed = event(Kind::kExposed, user, it->second.exposed_ms);
    exposed.arm = it->second.arm;
    log.push_back(exposed);
  }
  for (const auto& [at, request] : link_order_) {
    const auto it = links_.find(request);
    if (it == links_.end()) continue;
    ExperimentEvent made = event(Kind::kLink, it->second, at);
    made.other = request;
    log.push_back(made);
  }
  for (const auto& [key, user] : open_) {
    for (size_t metric = 0; metric < user.values.size(); ++metric) {
      if (user.values[metric] == 0) continue;
      ExperimentEvent made = event(Kind::kOutcome, key, 0);
      made.metric = static_cast<uint8_t>(metric);
      made.value = user.values[metric];
      log.push_back(made);
    }
    for (const uint64_t id : user.seen) {
      ExperimentEvent made = event(Kind::kSeen, key, 0);
      made.other = id;
      log.push_back(made);
    }
  }
  for (size_t which = 0; which < counts_.size(); ++which) {
    ExperimentEvent made = event(Kind::kCount, 0, 0);
    made.metric = static_cast<uint8_t>(which);
    made.value = static_cast<double>(counts_[which]);
    log.push_back(made);
  }
  // Last, as what came before has been added up as well.
  for (size_t arm = 0; arm < totals_.size(); ++arm)
    for (size_t metric = 0; metric < plan_.binary.size(); ++metric) {
      ExperimentEvent made = event(Kind::kTotals, totals_[arm].metrics[metric].users, 0);
      made.arm = static_cast<uint8_t>(arm);
      made.metric = static_cast<uint8_t>(metric);
      made.value = totals_[arm].metrics[metric].mean;
      made.other = std::bit_cast<uint64_t>(totals_[arm].metrics[metric].squares);
      log.push_back(made);
      made.kind = Kind::kArmTotals;
      made.user = totals_[arm].exposed;
      made.value = totals_[arm].so_far[metric];
      log.push_back(made);
    }
  return log;
}

}  // namespace modelmill
