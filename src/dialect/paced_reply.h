#pragma once

#include <cstddef>
#include <memory>

#include "runtime/backlog.h"
#include "wire/loop.h"

namespace modelmill {

/// The pace of a reply whose pieces are made on any thread and sent on a loop: who makes them waits while the client
/// has too much left to read. Whoever sends them derives from it. The members are the loop's, but for the two that say
/// so.
class PacedReply : public std::enable_shared_from_this<PacedReply> {
 public:
  virtual ~PacedReply() = default;

  /// Where who makes the pieces waits before another one.
  std::shared_ptr<Room> room() { return {shared_from_this(), &backlog_}; }

 protected:
  explicit PacedReply(wire::Loop& loop) : loop_(loop) {}

  virtual size_t unsent_bytes() const = 0;

  /// A piece is made, and goes to the loop. Any thread.
  void made(size_t bytes) { backlog_.add(bytes); }
  /// It came, and was sent.
  void sent(size_t bytes);
  /// No more is sent: nobody waits any longer.
  void stop();
  wire::Loop& loop() const { return loop_; }

 private:
  wire::Loop& loop_;
  Backlog backlog_{size_t{4} << 20};
  std::unique_ptr<wire::Loop::Timer> look_again_;
  bool stopped_ = false;
};

}  // namespace modelmill
