#pragma once

#include <signal.h>
#include <termios.h>

#include <string>

#include "base/clock.h"
#include "cli/top/activity_text.h"

namespace modelmill {

/// Where text is shown again and again until the user has seen enough: on the whole terminal, each text in place of the
/// one before; or one after another on standard output, for pipes and files. 'q' ends the first, and SIGINT, SIGTERM
/// and SIGHUP end both, by an event instead of the process's death, so that the terminal is always given back as it
/// was. One at a time, for the thread that makes it, which must be the process's only one then.
class Screen {
 public:
  enum class Event { kTime, kResized, kEnd };

  /// Takes the whole terminal if that is wanted and standard output is one.
  explicit Screen(bool whole_terminal);
  ~Screen();
  Screen(const Screen&) = delete;
  Screen& operator=(const Screen&) = delete;

  bool whole_terminal() const { return whole_terminal_; }
  /// Of the terminal now; any where the whole of it was not taken.
  TextRoom room() const;
  void show(const std::string& text) const;
  /// Waits for a key or signal that means something, or until the time has come.
  Event wait(TimePoint until);

 private:
  bool read_keys();
  Event read_signals();

  bool whole_terminal_;
  bool keys_ = false;  // standard input is a terminal whose keys are read
  termios before_{};
  sigset_t mask_before_{};
  int signals_ = -1;
};

}  // namespace modelmill
