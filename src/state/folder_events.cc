#include "state/folder_events.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace modelmill {

Result<std::unique_ptr<FolderEvents>> FolderEvents::start(const std::string& folder, Happened happened) {
  const int events = ::inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
  const int watched =
      events < 0 ? -1
                 : ::inotify_add_watch(events, folder.c_str(), IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR);
  const int stop = watched < 0 ? -1 : ::eventfd(0, EFD_CLOEXEC);
  if (stop >= 0) return std::unique_ptr<FolderEvents>(new FolderEvents(events, stop, std::move(happened)));
  const int error = errno;
  if (events >= 0) ::close(events);
  const bool full = error == EMFILE || error == ENOSPC;
  return unavailable("folder '" + folder + "' can't be watched for changes: " + std::strerror(error) +
                     (full ? "; raise fs.inotify.max_user_instances and fs.inotify.max_user_watches" : ""));
}

FolderEvents::FolderEvents(int events, int stop, Happened happened)
    : events_(events), stop_(stop), happened_(std::move(happened)), thread_([this] { run(); }) {}

FolderEvents::~FolderEvents() {
  ::eventfd_write(stop_, 1);
  thread_.join();
  ::close(events_);
  ::close(stop_);
}

void FolderEvents::run() {
  while (true) {
    std::array<pollfd, 2> wanted{{{stop_, POLLIN, 0}, {events_, POLLIN, 0}}};
    if (::poll(wanted.data(), wanted.size(), -1) < 0 && errno != EINTR) break;
    if (wanted[0].revents != 0) return;
    if (wanted[1].revents != 0 && !read_events()) break;
  }
  Log::error("a folder of the server's state is not watched any more", {{"error", std::strerror(errno)}});
}

bool FolderEvents::read_events() {
  alignas(inotify_event) std::array<char, 16384> buffer{};
  const ssize_t size = ::read(events_, buffer.data(), buffer.size());
  if (size < 0) return errno == EAGAIN || errno == EINTR;
  for (ssize_t at = 0; at < size;) {
    const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
    if ((event->mask & IN_Q_OVERFLOW) != 0) happened_(std::nullopt);
    if (event->len > 0) happened_(std::string(event->name));
    at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
  }
  return true;
}

}  // namespace modelmill
