#include "wire/connection_set.h"

#include <algorithm>
#include <utility>

#include "wire/connection.h"

namespace modelmill::wire {
namespace {

/// Connections that are looked at in one turn. Each is in memory that nobody has touched for a while.
constexpr int kLooksPerTurn = 128;

}  // namespace

ConnectionSet::ConnectionSet(Loop& loop, Duration interval) : loop_(loop), interval_(interval) {}

ConnectionSet::~ConnectionSet() = default;

void ConnectionSet::insert(std::shared_ptr<Connection> connection) {
  Connection& inserted = *connection;
  inserted.place_ = connections_.insert(connections_.end(), std::move(connection));
  if (timer_ == nullptr) arm();
}

void ConnectionSet::erase(const std::shared_ptr<Connection>& connection) {
  if (looking_ && next_ == connection->place_) ++next_;
  connections_.erase(connection->place_);
  if (!connections_.empty()) return;
  looking_ = false;
  timer_.reset();
}

void ConnectionSet::arm() {
  if (interval_ == Duration::zero()) return;
  looked_ = Clock::now();
  timer_ = loop_.run_at(looked_ + interval_, [this] { look(); });
}

void ConnectionSet::look() {
  // While a loop was held up, or the whole process, it has read nothing of what came: that is not its clients' time.
  time_ += std::min<Duration>(Clock::now() - looked_, 2 * interval_);
  looking_ = true;
  next_ = connections_.begin();
  look_on();
}

void ConnectionSet::look_on() {
  for (int i = 0; i < kLooksPerTurn && next_ != connections_.end(); ++i) {
    const std::shared_ptr<Connection> connection = *next_++;  // a look may close it, and so take it out of the set
    connection->look(time_);
  }
  looking_ = next_ != connections_.end();
  timer_.reset();
  if (looking_)
    timer_ = loop_.run_at(Clock::now(), [this] { look_on(); });
  else if (!connections_.empty())
    arm();
}

}  // namespace modelmill::wire
