#include "state/folder_events.h"

#include <sys/inotify.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/log.h"

namespace modelmill {

Result<std::unique_ptr<FolderEvents>> FolderEvents::start(const std::string& folder, Happened happened) {
  auto events = std::make_unique<FileEvents>();
  if (events->add(folder, IN_MOVED_TO | IN_MOVED_FROM | IN_DELETE | IN_ONLYDIR) >= 0)
    return std::unique_ptr<FolderEvents>(new FolderEvents(std::move(events), std::move(happened)));
  const int error = errno;
  const bool full = error == EMFILE || error == ENOSPC;
  return unavailable("folder '" + folder + "' can't be watched for changes: " + std::strerror(error) +
                     (full ? "; raise fs.inotify.max_user_instances and fs.inotify.max_user_watches" : ""));
}

FolderEvents::FolderEvents(std::unique_ptr<FileEvents> events, Happened happened)
    : events_(std::move(events)), happened_(std::move(happened)), thread_([this] { run(); }) {}

FolderEvents::~FolderEvents() {
  events_->wake();
  thread_.join();
}

void FolderEvents::run() {
  using Woken = FileEvents::Woken;
  Woken woken = Woken::kByEvents;
  while (woken == Woken::kByEvents || woken == Woken::kByTime)
    woken = events_->wait_until(kNever, [this](const FileEvents::Event& event) {
      if (event.dropped) happened_(std::nullopt);
      if (!event.name.empty()) happened_(std::string(event.name));
    });
  if (woken == Woken::kByFailure)
    Log::error("a folder of the server's state is not watched any more", {{"error", std::strerror(errno)}});
}

}  // namespace modelmill
