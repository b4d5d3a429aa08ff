#include "cli/top/screen.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace modelmill {
namespace {

// Another screen, no cursor, no wrapped lines; and all of it back.
constexpr char kTake[] = "\x1b[?1049h\x1b[?25l\x1b[?7l";
constexpr char kGiveBack[] = "\x1b[?7h\x1b[?25h\x1b[?1049l";
constexpr char kHome[] = "\x1b[H";
constexpr char kClearLine[] = "\x1b[K\r\n";
constexpr char kClearBelow[] = "\x1b[J";

bool terminal_moves_the_cursor() {
  const char* kind = std::getenv("TERM");
  return ::isatty(STDOUT_FILENO) != 0 && kind != nullptr && std::string_view(kind) != "dumb";
}

void write_out(const std::string& text) {
  std::fputs(text.c_str(), stdout);
  std::fflush(stdout);
}

}  // namespace

Screen::Screen(bool whole_terminal) : whole_terminal_(whole_terminal && terminal_moves_the_cursor()) {
  sigset_t watched;
  sigemptyset(&watched);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGWINCH}) sigaddset(&watched, signal);
  ::pthread_sigmask(SIG_BLOCK, &watched, &mask_before_);
  signals_ = ::signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
  if (!whole_terminal_) return;
  if (::tcgetattr(STDIN_FILENO, &before_) == 0) {
    termios keys = before_;
    keys.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
    keys.c_cc[VSUSP] = _POSIX_VDISABLE;  // stopped, it would leave the terminal as it must not be left
    keys_ = ::tcsetattr(STDIN_FILENO, TCSANOW, &keys) == 0;
  }
  write_out(kTake);
}

Screen::~Screen() {
  if (whole_terminal_) write_out(kGiveBack);
  if (keys_) ::tcsetattr(STDIN_FILENO, TCSAFLUSH, &before_);
  if (signals_ >= 0) ::close(signals_);
  ::pthread_sigmask(SIG_SETMASK, &mask_before_, nullptr);
}

TextRoom Screen::room() const {
  winsize size{};
  if (!whole_terminal_ || ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0) return {};
  return {size.ws_col, size.ws_row};
}

void Screen::show(const std::string& text) const {
  if (!whole_terminal_) {
    write_out(text);
    return;
  }
  std::string out = kHome;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    out.append(text, begin, end - begin);
    // A line's end after the last line would move the whole screen up.
    out += end + 1 < text.size() ? kClearLine : "\x1b[K";
    begin = end + 1;
  }
  write_out(out + kClearBelow);
}

Screen::Event Screen::wait(TimePoint until) {
  while (true) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now());
    if (left.count() <= 0) return Event::kTime;
    pollfd watched[] = {{signals_, POLLIN, 0}, {keys_ ? STDIN_FILENO : -1, POLLIN, 0}};
    if (::poll(watched, 2, static_cast<int>(std::min<int64_t>(left.count(), 1'000'000))) <= 0) continue;
    if (watched[1].revents != 0 && read_keys()) return Event::kEnd;
    if (watched[0].revents != 0) {
      if (const Event event = read_signals(); event != Event::kTime) return event;
    }
  }
}

/// True: the user wants to end.
bool Screen::read_keys() {
  char keys[64];
  const ssize_t n = ::read(STDIN_FILENO, keys, sizeof keys);
  if (n <= 0) {
    keys_ = false;  // the terminal has gone; SIGHUP says the rest
    return false;
  }
  return std::any_of(keys, keys + n, [](char c) { return c == 'q' || c == 'Q'; });
}

/// kTime: it was nothing.
Screen::Event Screen::read_signals() {
  Event event = Event::kTime;
  signalfd_siginfo info{};
  while (::read(signals_, &info, sizeof info) == sizeof info) {
    if (info.ssi_signo != SIGWINCH) return Event::kEnd;
    event = Event::kResized;
  }
  return event;
}

}  // namespace modelmill
