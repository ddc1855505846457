//! What a wire does to packets, measured: both ends are in this process, and so have one clock.

use std::{
    fs::{self, File},
    io::{ErrorKind, Read, Write},
    net::{TcpListener, TcpStream, UdpSocket},
    os::fd::AsFd,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

/// How long nothing arrives until nothing more is expected. Longer than the longest delay and its jitter.
const QUIET: Duration = Duration::from_secs(2);
const PORT: u16 = 7777;

/// A way from one namespace to another.
#[derive(Debug, Clone, Copy)]
pub struct Wire<'a> {
    /// The namespace that sends.
    pub from: &'a str,
    /// The namespace that receives.
    pub to: &'a str,
    /// Its address.
    pub address: &'a str,
}

/// A packet that arrived.
#[derive(Debug, Clone, Copy)]
pub struct Arrival {
    /// The how manieth it was of those that were sent, from 0.
    pub number: usize,
    /// How long it took.
    pub delay: Duration,
}

/// What became of a number of packets.
#[derive(Debug)]
pub struct Flight {
    /// How many were sent.
    pub sent: usize,
    /// Those that arrived, in this order; some twice.
    pub arrivals: Vec<Arrival>,
}

impl Flight {
    /// How many never arrived.
    pub fn lost(&self) -> usize {
        self.fates().iter().filter(|arrived| **arrived == 0).count()
    }

    /// How many arrived more than once.
    pub fn doubled(&self) -> usize {
        self.fates().iter().filter(|arrived| **arrived > 1).count()
    }

    /// How many arrived after one that was sent later.
    pub fn overtaken(&self) -> usize {
        let mut last = 0;
        let late = |arrival: &&Arrival| {
            let late = arrival.number < last;
            last = last.max(arrival.number);
            late
        };
        self.arrivals.iter().filter(late).count()
    }

    /// How many are lost at a time, on an average; 0 where nothing is.
    pub fn burst(&self) -> f64 {
        let fates = self.fates();
        let begins = (0..fates.len()).filter(|at| fates[*at] == 0 && (*at == 0 || fates[at - 1] > 0)).count();
        if begins == 0 { 0.0 } else { number(self.lost()) / number(begins) }
    }

    /// How often each arrived.
    fn fates(&self) -> Vec<usize> {
        let mut fates = vec![0; self.sent];
        for arrival in &self.arrivals {
            fates[arrival.number] += 1;
        }
        fates
    }

    /// The delay below which a share of all lies, in milliseconds.
    pub fn delay(&self, share: f64) -> f64 {
        let mut delays: Vec<f64> = self.arrivals.iter().map(|arrival| millis(arrival.delay)).collect();
        delays.sort_by(f64::total_cmp);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let place = (number(delays.len().saturating_sub(1)) * share).round() as usize;
        delays.get(place).copied().unwrap_or(f64::NAN)
    }

    /// Mean and standard deviation of the delays, in milliseconds.
    pub fn moments(&self) -> (f64, f64) {
        let delays = || self.arrivals.iter().map(|arrival| millis(arrival.delay));
        let count = number(self.arrivals.len());
        let mean = delays().sum::<f64>() / count;
        (mean, (delays().map(|delay| (delay - mean).powi(2)).sum::<f64>() / count).sqrt())
    }
}

/// A count as a number to reckon with.
pub fn number(count: usize) -> f64 {
    f64::from(u32::try_from(count).expect("a count of packets"))
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// A thread in a namespace.
fn enter(namespace: &str) {
    let file = File::open(format!("/run/netns/{namespace}")).expect("opening a namespace");
    move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("entering a namespace");
}

/// Does something in a thread of its own.
fn apart<T: Send>(work: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| scope.spawn(work).join().expect("a thread for one end"))
}

impl Wire<'_> {
    /// Sends UDP packets with so many bytes of data, one each `gap`, and sees what becomes of them.
    pub fn udp(self, count: usize, gap: Duration, size: usize) -> Flight {
        self.udp_while(count, gap, size, || ())
    }

    /// The same while something is done.
    pub fn udp_while(self, count: usize, gap: Duration, size: usize, during: impl FnOnce()) -> Flight {
        let (socket, done) = (apart(|| self.bind()), AtomicBool::new(false));
        thread::scope(|scope| {
            let sender = scope.spawn(move || self.send_udp(count, gap, size));
            let other = scope.spawn(|| receive_udp(&socket, count, &done));
            during();
            let sent = sender.join().expect("sending");
            done.store(true, Ordering::Relaxed);
            let received = other.join().expect("receiving");
            let arrival =
                |(number, at): &(usize, Instant)| Arrival { number: *number, delay: *at - sent[*number] };
            Flight { sent: count, arrivals: received.iter().map(arrival).collect() }
        })
    }

    fn bind(self) -> UdpSocket {
        enter(self.to);
        let socket = UdpSocket::bind((self.address, PORT)).expect("binding");
        rustix::net::sockopt::set_socket_recv_buffer_size_force(&socket, 8 << 20).expect("a large buffer");
        socket.set_read_timeout(Some(QUIET)).expect("a time limit");
        socket
    }

    fn send_udp(self, count: usize, gap: Duration, size: usize) -> Vec<Instant> {
        enter(self.from);
        let socket = UdpSocket::bind("0.0.0.0:0").expect("binding");
        rustix::net::sockopt::set_socket_send_buffer_size_force(&socket, 8 << 20).expect("a large buffer");
        socket.connect((self.address, PORT)).expect("connecting");
        // The neighbour's address is asked for by a packet of no account, and known then.
        let _ = socket.send(&[]);
        thread::sleep(QUIET / 2);
        let start = Instant::now();
        let mut packet = vec![0; size.max(8)];
        let mut sent = Vec::with_capacity(count);
        for number in 0..count {
            let at = start + gap * u32::try_from(number).expect("a count of packets");
            thread::sleep(at.saturating_duration_since(Instant::now()));
            packet[..8].copy_from_slice(&(number as u64).to_be_bytes());
            sent.push(Instant::now());
            let _ = socket.send(&packet);
        }
        sent
    }

    /// The delays of small messages over one TCP connection.
    pub fn tcp(self, count: usize, gap: Duration) -> Flight {
        let listener = apart(|| self.listen());
        thread::scope(|scope| {
            let other = scope.spawn(move || {
                let (mut stream, _) = listener.accept().expect("accepting");
                let mut message = [0; 8];
                let mut received = Vec::new();
                while stream.read_exact(&mut message).is_ok() {
                    received.push(Instant::now());
                }
                received
            });
            let sender = scope.spawn(move || {
                let mut stream = self.connect();
                thread::sleep(QUIET / 2);
                let message = |_| {
                    thread::sleep(gap);
                    let now = Instant::now();
                    stream.write_all(&[0; 8]).expect("sending");
                    now
                };
                (0..count).map(message).collect::<Vec<_>>()
            });
            let (sent, received) = (sender.join().expect("sending"), other.join().expect("receiving"));
            let arrivals = sent.iter().zip(&received).enumerate();
            let arrivals = arrivals.map(|(number, (sent, at))| Arrival { number, delay: *at - *sent });
            Flight { sent: count, arrivals: arrivals.collect() }
        })
    }

    fn listen(self) -> TcpListener {
        enter(self.to);
        TcpListener::bind((self.address, PORT)).expect("listening")
    }

    fn connect(self) -> TcpStream {
        enter(self.from);
        let stream = TcpStream::connect((self.address, PORT)).expect("connecting");
        stream.set_nodelay(true).expect("no delay");
        stream
    }

    /// The rate in bit/s at which frames arrive by an interface while TCP sends all it can: once it has begun, for `time`.
    pub fn tcp_rate(self, interface: &str, time: Duration) -> f64 {
        let listener = apart(|| self.listen());
        thread::scope(|scope| {
            let until = Instant::now() + WARM_UP.max(time) + time + QUIET;
            scope.spawn(move || {
                let (mut stream, _) = listener.accept().expect("accepting");
                let mut buffer = vec![0; 1 << 16];
                while Instant::now() < until && stream.read(&mut buffer).is_ok_and(|read| read > 0) {}
            });
            scope.spawn(move || {
                let mut stream = self.connect();
                stream.set_write_timeout(Some(QUIET)).expect("a time limit");
                let all = vec![0; 1 << 16];
                while Instant::now() < until {
                    match stream.write(&all) {
                        Ok(_) => {}
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                        Err(_) => break,
                    }
                }
            });
            self.rate(interface, time)
        })
    }

    /// The same while UDP sends packets of `size` bytes of data at about twice `rate`, in bit/s.
    pub fn udp_rate(self, interface: &str, time: Duration, size: usize, rate: f64) -> f64 {
        let until = Instant::now() + WARM_UP.max(time) + time + QUIET / 4;
        thread::scope(|scope| {
            scope.spawn(move || {
                enter(self.from);
                let socket = UdpSocket::bind("0.0.0.0:0").expect("binding");
                let packet = vec![0; size];
                let start = Instant::now();
                let gap = Duration::from_secs_f64(number(size + 42) * 8.0 / (2.0 * rate));
                for count in 0_u32.. {
                    if Instant::now() >= until {
                        break;
                    }
                    thread::sleep((start + gap * count).saturating_duration_since(Instant::now()));
                    let _ = socket.send_to(&packet, (self.address, PORT));
                }
            });
            self.rate(interface, time)
        })
    }

    fn rate(self, interface: &str, time: Duration) -> f64 {
        thread::scope(|scope| {
            let measured = scope.spawn(|| {
                enter(self.to);
                thread::sleep(WARM_UP.max(time));
                let (begin, before) = (Instant::now(), received(interface));
                thread::sleep(time);
                let (end, after) = (Instant::now(), received(interface));
                #[allow(clippy::cast_precision_loss)]
                let bits = (after - before) as f64 * 8.0;
                bits / (end - begin).as_secs_f64()
            });
            measured.join().expect("measuring")
        })
    }
}

/// Until TCP has found the rate, at least; else as long as is measured.
const WARM_UP: Duration = Duration::from_secs(2);

/// Bytes that have arrived by an interface of this thread's namespace, Ethernet headers included.
fn received(interface: &str) -> u64 {
    let text = fs::read_to_string("/proc/thread-self/net/dev").expect("reading counters");
    let line = text.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{interface}:")));
    let bytes = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    bytes.expect("the interface is there")
}

fn receive_udp(socket: &UdpSocket, count: usize, done: &AtomicBool) -> Vec<(usize, Instant)> {
    let mut received = Vec::with_capacity(count);
    let mut packet = [0; 2048];
    loop {
        match socket.recv(&mut packet) {
            Ok(length) => {
                let now = Instant::now();
                let number = packet[..length].first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
                let number = number.and_then(|number| usize::try_from(number).ok());
                received.extend(number.filter(|number| *number < count).map(|number| (number, now)));
            }
            Err(_) if done.load(Ordering::Relaxed) => return received,
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_packets() {
        let arrival = |(number, delay)| Arrival { number, delay: Duration::from_millis(delay) };
        let arrivals: Vec<_> =
            [(0, 1), (1, 2), (4, 3), (3, 4), (4, 5), (8, 9)].into_iter().map(arrival).collect();
        let flight = Flight { sent: 10, arrivals };
        assert_eq!((flight.lost(), flight.doubled(), flight.overtaken()), (5, 1, 1));
        assert!((flight.burst() - 5.0 / 3.0).abs() < 1e-9, "2; 5, 6, 7; 9");
        assert!((flight.delay(0.5) - 4.0).abs() < 1e-9 && (flight.delay(1.0) - 9.0).abs() < 1e-9);
        let (mean, deviation) = flight.moments();
        assert!((mean - 4.0).abs() < 1e-9 && (deviation - (40.0_f64 / 6.0).sqrt()).abs() < 1e-9);
    }
}
