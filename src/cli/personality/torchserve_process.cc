#include "cli/personality/torchserve_process.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>

namespace modelmill::personality {
namespace {

namespace fs = std::filesystem;

constexpr int kStopMilliseconds = 60'000;

void say(const std::string& text) {
  std::fputs((text + "\n").c_str(), stdout);
  std::fflush(stdout);
}

/// What a process runs, also if that file was replaced meanwhile; empty: nothing that may be looked at.
std::string program_of(const std::string& process) {
  constexpr std::string_view kGone = " (deleted)";
  std::error_code error;
  std::string program = fs::read_symlink("/proc/" + process + "/exe", error).string();
  if (program.ends_with(kGone)) program.resize(program.size() - kGone.size());
  return error ? std::string() : program;
}

bool is_torchserve(pid_t pid) {
  const std::string process = std::to_string(pid);
  const std::string program = program_of(process);
  if (program.empty() || program != program_of("self")) return false;
  std::ifstream line("/proc/" + process + "/cmdline");
  const std::string text{std::istreambuf_iterator<char>(line), {}};
  return text.find("torchserve") != std::string::npos;
}

std::optional<pid_t> noted(const std::string& file) {
  std::ifstream in(file);
  pid_t pid = 0;
  if (!(in >> pid) || pid <= 0) return std::nullopt;
  return pid;
}

/// The server that the file names, if it runs.
std::optional<pid_t> running(const std::string& file) {
  const std::optional<pid_t> pid = noted(file);
  return pid && is_torchserve(*pid) ? pid : std::nullopt;
}

void note(const std::string& file, pid_t pid) {
  const std::string text = std::to_string(pid);
  // The folder is everyone's: a link that somebody has put there is not followed.
  const int fd = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0644);
  const bool written = fd >= 0 && ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
  if (!written)
    std::fprintf(stderr, "torchserve: '%s' can't be written: %s; --stop will not find the server\n", file.c_str(),
                 std::strerror(errno));
  if (fd >= 0) ::close(fd);
}

int serve_noted(const std::string& file, const std::function<int()>& serve) {
  const int code = serve();
  if (noted(file) == ::getpid()) ::unlink(file.c_str());
  return code;
}

}  // namespace

std::string torchserve_pid_file(const Environment& environment) {
  for (const char* name : {"TMPDIR", "TEMP", "TMP"}) {
    const std::optional<std::string> folder = environment(name);
    std::error_code error;
    if (folder && !folder->empty() && fs::is_directory(*folder, error)) return *folder + "/.model_server.pid";
  }
  return "/tmp/.model_server.pid";
}

int start_torchserve(const std::string& pid_file, bool foreground, const std::function<int()>& serve) {
  if (running(pid_file)) {
    say("TorchServe is already running, please use torchserve --stop to stop TorchServe.");
    return 1;
  }
  if (foreground) {
    note(pid_file, ::getpid());
    return serve_noted(pid_file, serve);
  }
  const pid_t child = ::fork();
  if (child < 0) {
    std::fprintf(stderr, "torchserve: no process can be started: %s\n", std::strerror(errno));
    return 1;
  }
  if (child == 0) {
    ::setsid();  // the terminal's signals are not for it
    return serve_noted(pid_file, serve);
  }
  note(pid_file, child);
  return 0;
}

int stop_torchserve(const std::string& pid_file, bool wait) {
  const std::optional<pid_t> pid = running(pid_file);
  if (!pid) {
    say("TorchServe is not currently running.");
    return 0;
  }
  pollfd process{static_cast<int>(::syscall(SYS_pidfd_open, *pid, 0)), POLLIN, 0};
  if (::kill(*pid, SIGTERM) != 0) {
    say("TorchServe already stopped.");
  } else if (!wait) {
    say("TorchServe has stopped.");
  } else if (process.fd < 0 || ::poll(&process, 1, kStopMilliseconds) != 1) {
    say("Stopping TorchServe took too long.");
  }
  if (process.fd >= 0) ::close(process.fd);
  ::unlink(pid_file.c_str());
  return 0;
}

}  // namespace modelmill::personality
