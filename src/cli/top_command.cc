#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "cli/commands.h"
#include "cli/server_link.h"
#include "cli/top/activity.h"
#include "cli/top/activity_text.h"
#include "cli/top/screen.h"

namespace modelmill {
namespace {

Result<ServerReading> read_now(ServerLink& link) {
  const TimePoint at = Clock::now();
  MM_ASSIGN_OR_RETURN(const std::string page, body_of(link.call("GET", "/metrics", {}, {})));
  return read_server(page, at);
}

/// What is shown of the time between two readings.
class Top {
 public:
  Top(const TopCommand& command, const Screen& screen) : command_(command), screen_(screen) {}

  void show(const ServerActivity& activity) {
    last_ = activity;
    if (command_.json) {
      screen_.show(activity_json(activity));
    } else if (screen_.whole_terminal()) {
      TextRoom room = screen_.room();
      room.lines = room.lines > kHeadLines ? room.lines - kHeadLines : 1;
      screen_.show(head("q ends") + activity_text(activity, room));
    } else {
      screen_.show((shown_++ == 0 ? "" : "\n") + activity_text(activity, {}));
    }
  }

  void show_again() {
    if (last_) show(*last_);
  }

  void show_problem(const std::string& problem) {
    last_.reset();
    screen_.show(head("q ends") + problem + "\ntrying again\n");
  }

 private:
  static constexpr size_t kHeadLines = 2;

  std::string head(const char* note) const { return "modelmill top   " + command_.server + "   " + note + "\n\n"; }

  const TopCommand& command_;
  const Screen& screen_;
  std::optional<ServerActivity> last_;
  int shown_ = 0;
};

/// From the first reading on; to the end that the user wants, or a failure.
Status watch(const TopCommand& command, ServerLink& link, ServerReading first) {
  const auto interval = std::chrono::duration_cast<Duration>(command.interval);
  Screen screen(!command.once && !command.json);
  Top top(command, screen);
  std::optional<ServerReading> before = std::move(first);
  for (TimePoint next = before->at + interval;;) {
    switch (screen.wait(next)) {
      case Screen::Event::kEnd: return ok_status();
      case Screen::Event::kResized: top.show_again(); continue;
      case Screen::Event::kTime: break;
    }
    Result<ServerReading> now = read_now(link);
    next = std::max(next, Clock::now() - interval) + interval;
    if (now.ok()) {
      if (before) top.show(activity_between(*before, *now));
      before = std::move(*now);
      if (command.once) return ok_status();
    } else if (screen.whole_terminal()) {
      top.show_problem(now.status().message());
      before.reset();
    } else {
      return now.status();
    }
  }
}

}  // namespace

ExitCode run(const TopCommand& command) {
  auto link = link_to(command);
  if (!link.ok()) return fail("top", link.status(), ExitCode::kUsage);
  auto first = read_now(**link);
  const Status status = first.ok() ? watch(command, **link, std::move(*first)) : first.status();
  return status.ok() ? ExitCode::kOk : fail("top", status, exit_code_of(status));
}

}  // namespace modelmill
