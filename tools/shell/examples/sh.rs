use std::rc::Rc;
use std::io::{Read,Write};
struct H;
impl shell::Host for H {
 fn fetch(&self,_:&shell::HttpRequest)->Result<shell::HttpResponse,shell::HttpFailure>{Err(shell::HttpFailure::Denied)}
 fn tools(&self)->Vec<shell::Tool>{vec![]}
 fn call(&self,n:&str,_:&str)->Result<String,shell::CallFailure>{Err(shell::CallFailure::Denied(format!("{n} not granted")))}
 fn seed(&self)->u64{42}
}
fn main(){
 let a:Vec<String>=std::env::args().collect();
 let cwd=std::env::current_dir().unwrap();
 let mut s=shell::Session::new(Rc::new(H),cwd.to_str().unwrap(),vec![("TMPDIR".into(),"/tmp".into())]);
 let mut stdin=None;
 if a.len()>2 {let mut v=vec![];std::io::stdin().read_to_end(&mut v).unwrap();stdin=Some(v);}
 let r=s.run(&shell::Request{command:a[1].clone(),stdin,timeout:Some(std::time::Duration::from_secs(20)),..Default::default()});
 std::io::stdout().write_all(&r.stdout).unwrap();std::io::stderr().write_all(&r.stderr).unwrap();
 std::process::exit(r.exit_status);
}
