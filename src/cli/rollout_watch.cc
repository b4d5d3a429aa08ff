#include "cli/rollout_watch.h"

#include <algorithm>
#include <cstdio>
#include <deque>
#include <optional>
#include <utility>

#include "cli/rollout_text.h"
#include "cli/text_table.h"
#include "cli/top/screen.h"

namespace modelmill {
namespace {

/// What one arm did between looks.
class Trend {
 public:
  void see(const RolloutStatus::Arm& arm, double seconds) {
    if (last_ && arm.requests >= last_->requests && arm.errors >= last_->errors) {
      add(rates_, static_cast<double>(arm.requests - last_->requests) / seconds);
      add(errors_, static_cast<double>(arm.errors - last_->errors) / seconds);
      add(p99_, arm.p99_us);
    }
    last_ = arm;
  }
  TextRow row(const char* name) const { return {name, sparkline(rates_), sparkline(errors_), sparkline(p99_)}; }

 private:
  static void add(std::deque<double>& values, double value) {
    constexpr size_t kMost = 24;
    values.push_back(value);
    if (values.size() > kMost) values.pop_front();
  }

  std::optional<RolloutStatus::Arm> last_;  // nullopt: a step has just begun
  std::deque<double> rates_, errors_, p99_;
};

class Watcher {
 public:
  Watcher(const RolloutCommand& command, const Screen& screen) : command_(command), screen_(screen) {}

  void see(const std::string& json, const RolloutStatus& rollout) {
    canary_.see(rollout.canary, command_.interval.count());
    baseline_.see(rollout.baseline, command_.interval.count());
    if (command_.json) return screen_.show(json + "\n");
    if (screen_.whole_terminal()) return show(rollout);
    std::string line = rollout_line(rollout);
    if (line != shown_) screen_.show(line);
    shown_ = std::move(line);
  }

  void show_problem(const std::string& problem) {
    screen_.show("modelmill rollout watch   q ends\n\n" + problem + "\ntrying again\n");
  }
  void show_again() const {
    if (last_) draw(*last_);
  }

 private:
  void show(const RolloutStatus& rollout) {
    last_ = rollout;
    draw(rollout);
  }

  void draw(const RolloutStatus& rollout) const {
    std::string text = "modelmill rollout watch   " + command_.server + "   q ends\n\n" + rollout_text(rollout) + "\n";
    text += text_table(
        {{"", "requests a second", "errors a second", "p99"}, canary_.row("canary"), baseline_.row("baseline")}, 4, 0);
    const TextRoom room = screen_.room();
    std::string out;
    size_t lines = 0;
    for (size_t begin = 0; begin < text.size() && (room.lines == 0 || lines < room.lines); ++lines) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      out += clipped(text.substr(begin, end - begin), room.columns) + "\n";
      begin = end + 1;
    }
    screen_.show(out);
  }

  const RolloutCommand& command_;
  const Screen& screen_;
  Trend canary_, baseline_;
  std::optional<RolloutStatus> last_;
  std::string shown_;
};

}  // namespace

Result<bool> watch_rollout(const RolloutCommand& command, const std::function<Result<std::string>()>& look) {
  // What is wrong from the beginning is told where the user can read it.
  MM_ASSIGN_OR_RETURN(const std::string first, look());
  MM_ASSIGN_OR_RETURN(RolloutStatus rollout, read_rollout(first));
  const auto interval = std::chrono::duration_cast<Duration>(command.interval);
  {
    Screen screen(!command.json);
    Watcher watcher(command, screen);
    watcher.see(first, rollout);
    for (TimePoint next = Clock::now() + interval; !rollout.is_over();) {
      const Screen::Event event = screen.wait(next);
      if (event == Screen::Event::kEnd) return true;
      if (event == Screen::Event::kResized) {
        watcher.show_again();
        continue;
      }
      next = std::max(next, Clock::now() - interval) + interval;
      const Result<std::string> json = look();
      if (json.ok()) {
        MM_ASSIGN_OR_RETURN(rollout, read_rollout(*json));
        watcher.see(*json, rollout);
      } else if (screen.whole_terminal()) {
        watcher.show_problem(json.status().message());
      } else {
        return json.status();
      }
    }
    if (!screen.whole_terminal()) return rollout.is_good();
  }
  // The terminal is as it was; what came of it stays there.
  std::fputs(rollout_text(rollout).c_str(), stdout);
  return rollout.is_good();
}

}  // namespace modelmill
