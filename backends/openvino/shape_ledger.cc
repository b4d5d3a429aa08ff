#include "shape_ledger.h"

#include <algorithm>

namespace modelmill::ov {
namespace {

/// Executions whose mean counts.
constexpr int kEnoughRuns = 32;
/// Executions after which a shape gets a model when its like has one.
constexpr int kFewRuns = 4;
/// An own model must cost less than this part of the open one.
constexpr double kWorthHaving = 0.9;
/// A model whose shape has not come for so many executions makes room.
constexpr uint64_t kForgottenAfter = 10'000;

/// Whether two shapes differ in nothing but the rows, the first size of one input or more.
bool differ_in_rows_only(std::span<const int64_t> a, std::span<const int64_t> b) {
  if (a.size() != b.size() || a.empty() || a[0] == b[0]) return false;
  for (size_t i = 0; i < a.size(); ++i)
    if (a[i] != b[i] && (a[i] != a[0] || b[i] != b[0])) return false;
  return true;
}

}  // namespace

size_t ShapeLedger::meet(std::span<const int64_t> shape) {
  ++executions_;
  const auto is_it = [&](const Entry& entry) {
    return std::equal(shape.begin(), shape.end(), entry.shape.begin(), entry.shape.end());
  };
  auto at = std::find_if(entries_.begin(), entries_.end(), is_it);
  if (at == entries_.end()) {
    if (entries_.size() < kPlaces) {
      at = entries_.emplace(entries_.end());
    } else {
      // The one that was not met for longest, of those that have no model.
      const auto rank = [](const Entry& entry) { return std::pair(has_own(entry), entry.met); };
      at = std::min_element(entries_.begin(), entries_.end(),
                            [&](const Entry& a, const Entry& b) { return rank(a) < rank(b); });
    }
    *at = Entry{};
    at->shape.assign(shape.begin(), shape.end());
  }
  at->met = executions_;
  return static_cast<size_t>(at - entries_.begin());
}

bool ShapeLedger::measures(size_t place) const {
  const State state = entries_[place].state;
  return state == State::kTried || (!closed_ && (state == State::kOpen || state == State::kMaking));
}

bool ShapeLedger::room(Step& step) const {
  if (static_cast<size_t>(std::count_if(entries_.begin(), entries_.end(), has_own)) < kMostOwn) return true;
  for (size_t i = 0; i < entries_.size(); ++i)
    if (entries_[i].state == State::kKept && entries_[i].met + kForgottenAfter < executions_) {
      step.drop = i;
      return true;
    }
  return false;
}

bool ShapeLedger::is_due(const Entry& entry) const {
  if (entry.open.runs >= kEnoughRuns && entry.open.seconds >= compile_seconds_) return true;
  return entry.open.runs >= kFewRuns && std::any_of(entries_.begin(), entries_.end(), [&](const Entry& other) {
           return other.state == State::kKept && differ_in_rows_only(entry.shape, other.shape);
         });
}

ShapeLedger::Step ShapeLedger::ran(size_t place, double seconds) {
  Step step;
  Entry& entry = entries_[place];
  if (!measures(place)) return step;
  if (entry.state != State::kTried) {
    entry.open.add(seconds);
    if (entry.state == State::kMaking || !is_due(entry) || !room(step)) return step;
    if (step.drop) entries_[*step.drop].state = State::kRefused;
    entry.state = State::kMaking;
    step.make = true;
    return step;
  }
  entry.own.add(seconds);
  if (entry.own.runs < kEnoughRuns) return step;
  if (entry.own.mean() < kWorthHaving * entry.open.mean()) {
    entry.state = State::kKept;
  } else {
    entry.state = State::kRefused;
    closed_ = true;
    step.drop = place;
  }
  return step;
}

void ShapeLedger::made(size_t place, bool ok) {
  entries_[place].state = ok ? State::kTried : State::kRefused;
  closed_ |= !ok;
}

}  // namespace modelmill::ov
