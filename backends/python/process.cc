#include "process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "modelmill/backend.hpp"

extern char** environ;

namespace modelmill::python {
namespace {

constexpr int kDataFd = 3, kControlFd = 4;

[[noreturn]] void failed(const std::string& what, int error) {
  throw backend::Error(MM_UNAVAILABLE, what + ": " + std::strerror(error));
}

std::pair<UniqueFd, UniqueFd> make_pair_of(bool sockets) {
  int fds[2];
  const int result = sockets ? ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) : ::pipe2(fds, O_CLOEXEC);
  if (result != 0) failed("no socket or pipe for a Python worker", errno);
  return {UniqueFd(fds[0]), UniqueFd(fds[1])};
}

/// posix_spawn's settings. dup2 in the child clears CLOEXEC; a descriptor that is where it should be already must be
/// moved away first, so the sources are copied above all targets.
class SpawnSettings {
 public:
  SpawnSettings() {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    sigset_t none, all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setpgroup(&attributes_, 0);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  void give(const UniqueFd& fd, int target) {
    const int high = ::fcntl(fd.get(), F_DUPFD_CLOEXEC, 16);
    if (high < 0) failed("no file descriptor for a Python worker", errno);
    copies_.emplace_back(high);
    posix_spawn_file_actions_adddup2(&actions_, high, target);
  }

  pid_t spawn(const ProcessArgs& args, int first_closed) {
    posix_spawn_file_actions_addclosefrom_np(&actions_, first_closed);
    std::vector<char*> argv;
    for (const std::string& word : args.command) argv.push_back(const_cast<char*>(word.c_str()));
    argv.push_back(nullptr);
    std::vector<std::string> texts;
    for (char** entry = environ; *entry != nullptr; ++entry) {
      const std::string text = *entry;
      if (!args.environment.contains(text.substr(0, text.find('=')))) texts.push_back(text);
    }
    for (const auto& [name, value] : args.environment) texts.push_back(name + "=" + value);
    std::vector<char*> envp;
    for (std::string& text : texts) envp.push_back(text.data());
    envp.push_back(nullptr);
    pid_t pid = -1;
    const int error = ::posix_spawn(&pid, argv[0], &actions_, &attributes_, argv.data(), envp.data());
    if (error != 0) failed("'" + args.command[0] + "' can't be started", error);
    return pid;
  }

 private:
  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
  std::vector<UniqueFd> copies_;
};

}  // namespace

Process start_process(const ProcessArgs& args) {
  Process out;
  auto [data, its_data] = make_pair_of(true);
  auto [control, its_control] = make_pair_of(true);
  auto [out_end, its_out] = make_pair_of(false);
  auto [err_end, its_err] = make_pair_of(false);
  SpawnSettings settings;
  settings.give(its_out, STDOUT_FILENO);
  settings.give(its_err, STDERR_FILENO);
  settings.give(its_data, kDataFd);
  settings.give(its_control, kControlFd);
  out.pid = settings.spawn(args, kControlFd + 1);
  out.handle = UniqueFd(static_cast<int>(::syscall(SYS_pidfd_open, out.pid, 0)));
  if (!out.handle) {
    const int error = errno;
    kill_process(out);
    ::waitpid(out.pid, nullptr, 0);
    failed("a Python worker can't be watched (pidfd_open needs Linux 5.3)", error);
  }
  out.data = std::move(data);
  out.control = std::move(control);
  out.out = std::move(out_end);
  out.err = std::move(err_end);
  for (const UniqueFd* pipe : {&out.out, &out.err}) ::fcntl(pipe->get(), F_SETFL, O_NONBLOCK);
  return out;
}

void kill_process(const Process& process) {
  if (process.pid <= 0) return;
  ::kill(-process.pid, SIGKILL);
  ::kill(process.pid, SIGKILL);
}

std::string reap_process(Process& process) {
  // What it has started goes with it; until it is reaped its number is not another's.
  ::kill(-process.pid, SIGKILL);
  int status = 0;
  while (::waitpid(process.pid, &status, 0) < 0 && errno == EINTR) {
  }
  process.pid = -1;
  if (WIFEXITED(status)) return "exited with status " + std::to_string(WEXITSTATUS(status));
  const int signal = WTERMSIG(status);
  const char* name = ::sigabbrev_np(signal);
  std::string text = "was killed by signal " + std::to_string(signal);
  if (name != nullptr) text += std::string(" (SIG") + name + ")";
  if (signal == SIGKILL) text += ", as the kernel does when memory runs out";
  return text;
}

std::string run_process(const ProcessArgs& args, int& status) {
  auto [end, its_end] = make_pair_of(false);
  pid_t pid = -1;
  {
    SpawnSettings settings;
    settings.give(its_end, STDOUT_FILENO);
    settings.give(its_end, STDERR_FILENO);
    pid = settings.spawn(args, STDERR_FILENO + 1);
  }
  its_end.reset();
  std::string text;
  std::array<char, 4096> buffer;
  while (true) {
    const ssize_t got = ::read(end.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    text.append(buffer.data(), static_cast<size_t>(got));
  }
  int ended = 0;
  while (::waitpid(pid, &ended, 0) < 0 && errno == EINTR) {
  }
  status = WIFEXITED(ended) ? WEXITSTATUS(ended) : 128 + WTERMSIG(ended);
  return text;
}

}  // namespace modelmill::python
