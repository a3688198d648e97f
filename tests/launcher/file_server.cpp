// file_server FOLDER LOG: serves files by HTTP on 127.0.0.1 as well or as badly as a test of `./elk data`
// wants.
//
// Prints its port. GET /<manner>/<path> answers with FOLDER/<path>, and LOG gets a line "<manner>/<path>
// <from>", where <from> is the byte asked for by a Range header, or 0. Manners: "good"; "half", which closes
// the connection after half of what is left; "slow", which sends some bytes a second; "plain", which knows no
// ranges and no lengths.
#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>

namespace {

std::string folder;
std::FILE* log_file;

bool send_all(int connection, const std::string& bytes) {
  for (std::size_t done = 0; done < bytes.size();) {
    const ssize_t sent = send(connection, bytes.data() + done, bytes.size() - done, 0);
    if (sent <= 0) return false;
    done += static_cast<std::size_t>(sent);
  }
  return true;
}

void answer(int connection) {
  std::string request;
  char piece[4096];
  while (request.find("\r\n\r\n") == std::string::npos) {
    const ssize_t got = recv(connection, piece, sizeof piece, 0);
    if (got <= 0) return;
    request.append(piece, static_cast<std::size_t>(got));
  }
  const std::size_t start = request.find(" /") + 2, slash = request.find('/', start),
                    end = request.find(' ', start);
  const std::string manner = request.substr(start, slash - start),
                    path = request.substr(slash + 1, end - slash - 1);
  const std::size_t range = request.find("Range: bytes=");
  const std::size_t from =
      range == std::string::npos ? 0 : std::strtoul(request.c_str() + range + 13, nullptr, 10);
  std::fprintf(log_file, "%s/%s %zu\n", manner.c_str(), path.c_str(), from);
  std::fflush(log_file);

  std::ifstream file(folder + "/" + path, std::ios::binary);
  const std::string content{std::istreambuf_iterator<char>(file), {}};
  if (!file) {
    send_all(connection,
             "HTTP/1.1 404 Not Found\r\nContent-Length: 12\r\nConnection: close\r\n\r\nNo such file");
    return;
  }
  if (manner == "plain") {
    send_all(connection, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + content);
    return;
  }
  if (from >= content.size()) {
    send_all(connection,
             "HTTP/1.1 416 Range Not Satisfiable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    return;
  }
  std::string body = content.substr(from);
  std::string head = from > 0
                         ? "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes " + std::to_string(from) +
                               "-" + std::to_string(content.size() - 1) + "/" + std::to_string(content.size())
                         : "HTTP/1.1 200 OK";
  head += "\r\nContent-Length: " + std::to_string(body.size()) + "\r\nConnection: close\r\n\r\n";
  if (!send_all(connection, head)) return;
  if (manner == "slow") {
    for (std::size_t at = 0; at < body.size() && send_all(connection, body.substr(at, 20)); at += 20)
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
  } else {
    send_all(connection, manner == "half" ? body.substr(0, (body.size() + 1) / 2) : body);
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3 || !(log_file = std::fopen(argv[2], "w"))) return 2;
  folder = argv[1];
  std::signal(SIGPIPE, SIG_IGN);
  const int server = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (bind(server, reinterpret_cast<sockaddr*>(&address), size) != 0 || listen(server, 16) != 0 ||
      getsockname(server, reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return 1;
  std::printf("%d\n", ntohs(address.sin_port));
  std::fflush(stdout);
  for (;;) {
    const int connection = accept(server, nullptr, nullptr);
    if (connection < 0) return 1;
    std::thread([connection] {
      answer(connection);
      close(connection);
    }).detach();
  }
}
