//! A terminal on the crate `jt808`: frames, headers, serial numbers, packages and most bodies are that crate's.
//!
//!     foreign-terminal PORT PHONE 2013|2019 PLATE
//!
//! It registers, authenticates, sends a position, then answers what comes. It prints one line for each thing that happens, and
//! ends when standard input does. A line `position`, `heartbeat` on standard input sends one. What the crate has no model for
//! (0x0104, 0x0107, 0x8103, 0x8106, 0x8300) is written here by the traits that it gives for that.

use std::collections::BTreeMap;
use std::io::{self, BufRead, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::{env, thread};

use bytes::{Bytes, BytesMut};
use chrono::Local;
use jt808::bytes::JtBytes;
use jt808::codec::Jt808Codec;
use jt808::models::jt0x0200::Jt0x0200;
use jt808::models::jt0x0201::Jt0x0201;
use jt808::models::jt0x8202::Jt0x8202;
use jt808::models::{
    Jt0x0001, Jt0x0100, Jt0x0102, Jt0x8100, Jt808, Jt808BodySerialize, Jt808BodyTrans, JtNoBody, Ver808,
};
use jt808::{JtPackage, JtSubMerger};
use jt_util::bytes::{IBuffRead, IBuffWrite};
use jt_util::bytes_bcd::BytesBCD;
use jt_util::bytes_gbk::BytesGBK;
use tokio_util::codec::Decoder;

/// 0x8300: flags, kind (2019), text.
#[derive(Default)]
struct Text {
    flag: u8,
    text: String,
}

impl Jt808BodyTrans for Text {
    fn fill_new<T: IBuffRead>(buf: &mut T, jt808: &Jt808) -> Self {
        let flag = buf.get_u8();
        if jt808.v19 {
            buf.get_u8();
        }
        Text { flag, text: BytesGBK::new_with_bytes(buf.to_bytes()).get_val() }
    }
}

/// 0x8103: count, then id, length, value of each.
struct Parameters(BTreeMap<u32, Bytes>);

impl Jt808BodyTrans for Parameters {
    fn fill_new<T: IBuffRead>(buf: &mut T, _: &Jt808) -> Self {
        let count = buf.get_u8();
        Parameters((0..count).map(|_| (buf.get_u32(), { let n = buf.get_u8(); buf.split_to(n as usize) })).collect())
    }
}

/// 0x8106: count, ids.
struct Wanted(Vec<u32>);

impl Jt808BodyTrans for Wanted {
    fn fill_new<T: IBuffRead>(buf: &mut T, _: &Jt808) -> Self {
        let count = buf.get_u8();
        Wanted((0..count).map(|_| buf.get_u32()).collect())
    }
}

/// 0x0104.
struct ParametersReply {
    answer_sn: u16,
    parameters: Vec<(u32, Bytes)>,
}

impl Jt808BodySerialize for ParametersReply {
    fn len(&self, _: &Ver808) -> usize {
        3 + self.parameters.iter().map(|(_, value)| 5 + value.len()).sum::<usize>()
    }
    fn write(&mut self, _: &Ver808, buf: &mut dyn IBuffWrite) {
        buf.put_u16(self.answer_sn);
        buf.put_u8(self.parameters.len() as u8);
        for (id, value) in &self.parameters {
            buf.put_u32(*id);
            buf.put_u8(value.len() as u8);
            buf.put(value.clone());
        }
    }
}

/// 0x0107 (2019: the manufacturer in 5 bytes, as table 20 has it).
struct Attributes;

fn fixed(text: &str, width: usize) -> Bytes {
    let mut value = BytesGBK::new();
    value.set_val(text);
    value.get_fixed_bytes(width, false)
}

impl Attributes {
    fn bytes(ver: &Ver808) -> Vec<u8> {
        let (model, id) = match ver {
            Ver808::V2013 => (20, 7),
            Ver808::V2019 => (30, 30),
        };
        let mut out = vec![0, 4];
        out.extend_from_slice(&fixed("VANJO", 5));
        out.extend_from_slice(&fixed("JT808-RS", model));
        out.extend_from_slice(&fixed("F808", id));
        out.extend_from_slice(&[0x89, 0x86, 0x04, 0x12, 0x34, 0x56, 0x78, 0x90, 0x12, 0x34]);
        out.extend_from_slice(b"\x03H-1\x05F-0.1\x03\x20");
        out
    }
}

impl Jt808BodySerialize for Attributes {
    fn len(&self, ver: &Ver808) -> usize {
        Attributes::bytes(ver).len()
    }
    fn write(&mut self, ver: &Ver808, buf: &mut dyn IBuffWrite) {
        buf.put_slice(&Attributes::bytes(ver));
    }
}

struct Terminal {
    stream: Mutex<TcpStream>,
    package: JtPackage,
}

impl Terminal {
    fn send<T: Jt808BodySerialize>(&self, id: u16, mut body: T) {
        let mut stream = self.stream.lock().unwrap();
        let frame = self.package.serialize(id, 0, &mut body);
        stream.write_all(&frame).expect("the platform reads");
    }

    fn confirm(&self, to: &Jt808, result: u8) {
        self.send(0x0001, Jt0x0001 { answer_sn: to.sn, answer_id: to.id, result });
    }
}

fn gbk(text: &str) -> BytesGBK {
    let mut value = BytesGBK::new();
    value.set_val(text);
    value
}

/// A position in Nantong, now; with one satellite (item 0x31).
fn position() -> Jt0x0200 {
    // The crate gives no way to make one but reading it; its reader takes times as bytes, not BCD, and the length of an item for
    // the first byte of its value.
    let mut raw = vec![0u8; 22];
    raw.extend_from_slice(&[26, 1, 1, 0, 0, 0, 0x31, 1, 0]);
    let mut made = Jt0x0200::fill_new(&mut JtBytes::from(Bytes::from(raw)), &Jt808::new());
    made.gps.state = 0b11;
    made.gps.lat = 31_980_123;
    made.gps.lng = 120_890_456;
    made.gps.altitude = 12;
    made.gps.speed = 456;
    made.gps.direction = 54;
    made.gps.time = Local::now();
    made
}

fn say(line: String) {
    println!("{line}");
    io::stdout().flush().unwrap();
}

fn read<T: Jt808BodyTrans>(message: &Jt808) -> T {
    T::fill_new(&mut JtBytes::from(message.get_body()), message)
}

fn answer(it: &Terminal, parameters: &mut BTreeMap<u32, Bytes>, parts: &mut Option<JtSubMerger>, message: Jt808) {
    match message.id {
        0x8001 => {
            let reply: Jt0x0001 = read(&message);
            say(format!("reply {:04x} {}", reply.answer_id, reply.result));
            if reply.answer_id == 0x0102 {
                say(format!("authenticated {}", reply.result));
                it.send(0x0200, position());
            }
        }
        0x8100 => {
            let reply: Jt0x8100 = read(&message);
            say(format!("registered {}", reply.result));
            if reply.result == 0 {
                let code = reply.authority_code;
                let body = Jt0x0102 { authority_code: code, imei: gbk("860000000000007"), soft_version: gbk("0.1") };
                it.send(0x0102, body);
            }
        }
        0x8103 => {
            let given: Parameters = read(&message);
            for (id, value) in given.0 {
                say(format!("set {id:04x}"));
                parameters.insert(id, value);
            }
            it.confirm(&message, 0);
        }
        0x8104 => {
            let all = parameters.iter().map(|(id, value)| (*id, value.clone())).collect();
            it.send(0x0104, ParametersReply { answer_sn: message.sn, parameters: all });
        }
        0x8106 => {
            let wanted: Wanted = read(&message);
            let some = wanted.0.iter().filter_map(|id| parameters.get(id).map(|value| (*id, value.clone()))).collect();
            it.send(0x0104, ParametersReply { answer_sn: message.sn, parameters: some });
        }
        0x8107 => it.send(0x0107, Attributes),
        0x8201 => it.send(0x0201, Jt0x0201 { answer_sn: message.sn, jt0200: position() }),
        0x8202 => {
            let order: Jt0x8202 = read(&message);
            say(format!("tracking {} {}", order.interval, order.report_sec));
            it.confirm(&message, 0);
        }
        0x8300 => {
            let text: Text = if message.package_total.is_none() {
                read(&message)
            } else {
                let (first, sn) = (message.package_index == Some(1), message.sn);
                let copy = Jt808::from(message.get_bytes());
                if first {
                    *parts = Some(JtSubMerger::add_new(sn, copy));
                } else if let Some(begun) = parts.as_mut() {
                    begun.add(copy);
                }
                match parts.as_mut() {
                    Some(begun) if begun.check_pack() => begun.trans_body(),
                    _ => return it.confirm(&message, 0),
                }
            };
            say(format!("text {} {}", text.flag, text.text));
            it.confirm(&message, 0);
        }
        other => {
            say(format!("unsupported {other:04x}"));
            it.confirm(&message, 3);
        }
    }
}

fn main() {
    let words: Vec<String> = env::args().collect();
    let [_, port, phone, version, plate] = words.as_slice() else {
        panic!("foreign-terminal PORT PHONE 2013|2019 PLATE");
    };
    let v19 = version == "2019";
    let mut sim = BytesBCD::new();
    sim.set_val(phone, if v19 { 20 } else { 12 });
    let stream = TcpStream::connect(("127.0.0.1", port.parse().unwrap())).expect("a gateway listens");
    let mut reader = stream.try_clone().unwrap();
    let it = Arc::new(Terminal { stream: Mutex::new(stream), package: JtPackage::new(sim, v19, 1, 1000) });

    it.send(0x0100, Jt0x0100 {
        province: 32, city: 600, maker: gbk("VANJO"), terminal_model: gbk("JT808-RS"), terminal_id: gbk("F808"), color: 1,
        name: gbk(plate),
    });
    let own = it.clone();
    thread::spawn(move || {
        let (mut codec, mut buffer) = (Jt808Codec::new(), BytesMut::new());
        let mut parameters: BTreeMap<u32, Bytes> = [
            (0x0001, Bytes::from_static(&[0, 0, 0, 60])),
            (0x0029, Bytes::from_static(&[0, 0, 0, 30])),
            (0x0083, gbk("苏F00001").get_bytes()),
        ].into();
        let (mut parts, mut chunk) = (None, [0u8; 4096]);
        loop {
            let n = reader.read(&mut chunk).unwrap_or(0);
            if n == 0 {
                say("closed".into());
                return;
            }
            buffer.extend_from_slice(&chunk[..n]);
            loop {
                match codec.decode(&mut buffer) {
                    Ok(Some(message)) => answer(&own, &mut parameters, &mut parts, message),
                    Ok(None) => break,
                    Err(error) => say(format!("unreadable {error}")),
                }
            }
        }
    });
    for line in io::stdin().lock().lines() {
        match line.unwrap().as_str() {
            "position" => it.send(0x0200, position()),
            "heartbeat" => it.send(0x0002, JtNoBody {}),
            other => panic!("{other}"),
        }
    }
}
